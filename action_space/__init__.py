"""What can be done on a screen, and how models write it: values and text only."""
