"""The losses of a batch, from ids to a number with a gradient."""
