"""What can be wrong with a checkpoint or a text, as named errors."""


class CheckpointError(Exception):
    """A checkpoint is missing, damaged or of an unknown kind; the message names the file and the cure."""


class TextError(ValueError):
    """A text cannot be embedded: nothing in it becomes a token, or it is not valid Unicode.

    `index` is the position of the text in the list that was passed.
    """

    def __init__(self, index: int, message: str) -> None:
        super().__init__(message)
        self.index = index


class PrecisionError(ValueError):
    """This machine or this model cannot compute as it was asked to; the message names what it can."""


class OptionError(ValueError):
    """An option that this model does not have, or options that exclude each other; the message names what there is."""


class TruncationWarning(UserWarning):
    """Texts were longer than the model reads; of each the beginning was embedded."""
