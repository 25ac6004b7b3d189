"""The ten kinds of the technical report's data as questions about labelled screens, documents and episodes."""
