"""Benchmarks: one loader a file, all scored by named rules."""
