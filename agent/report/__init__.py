"""A run as one HTML file that opens from disk, with no network."""

from agent.report.build import write_report

__all__ = ["write_report"]
