"""An evaluation as one HTML file that opens from disk, with no network."""
