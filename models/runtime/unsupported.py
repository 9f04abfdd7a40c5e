"""What a fast path says of a model that it does not compute."""


class UnsupportedArchitecture(ValueError):  # noqa: N818 (it names a state of the model, not a failure)
    """A backbone that no fast path computes; the message says in one sentence what it is."""
