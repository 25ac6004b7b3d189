"""A model behind an OpenAI-compatible address."""
