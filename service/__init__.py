"""The web service: sentence embeddings and semantic search over HTTP."""

__version__ = "0.1.0"
