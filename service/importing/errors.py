"""What can be wrong with a file of records as a whole."""


class SourceError(Exception):
    """A file cannot be read; the message names it, what was found and the cure."""
