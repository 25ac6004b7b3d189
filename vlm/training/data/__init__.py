"""Training data: screens drawn by a real Chromium, with labels from the DOM."""
