"""Public datasets into the files a run reads."""
