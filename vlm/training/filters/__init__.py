"""Filters of training data: what a record is about, whether it may stay, and what the model makes of it."""
