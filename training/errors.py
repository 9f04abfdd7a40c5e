"""What can be wrong with a run before or while it goes on, as named errors."""


class ConfigError(Exception):
    """A setting is unknown, out of range or contradicts another; the message names the field."""


class DataError(Exception):
    """Training or evaluation data cannot be used; the message names the file, the line and the cure."""


class TrainingError(Exception):
    """A run cannot go on; the message says why and what is left on disk."""
