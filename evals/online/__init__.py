"""Live pages that judge for themselves whether a task was done."""
