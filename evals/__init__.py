"""Measure: replay, protocols, benchmarks, reports."""
