"""Ways to run a model, behind one protocol."""
