"""One file per model family: prompt text out, Action in, and back."""
