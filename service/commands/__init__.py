"""Commands that talk to a running service over HTTP, one file each."""
