"""`mcse bench`: what this machine makes of a checkpoint, measured without a server."""
