"""What training and serving share: the network, its checkpoint format, the runtime."""

from models.checkpoint import Checkpoint
from models.errors import CheckpointError, TextError
from models.loader import load
from models.runtime import ReferenceRuntime, Runtime
from models.text import TextTokenizer, Tokenized

__all__ = [
    "Checkpoint",
    "CheckpointError",
    "ReferenceRuntime",
    "Runtime",
    "TextError",
    "TextTokenizer",
    "Tokenized",
    "load",
]
