"""What training and serving share: the network, its checkpoint format, the runtime.

The names below are loaded when first used, so that a command's --help does not wait for torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from models.checkpoint import Checkpoint
    from models.embedder import Embedder, Encoded
    from models.errors import CheckpointError, OptionError, PrecisionError, TextError, TruncationWarning
    from models.loader import load
    from models.runtime import ReferenceRuntime, Runtime, open_runtime
    from models.serving import open_to_serve
    from models.text import TextTokenizer, Tokenized

__all__ = [
    "Checkpoint",
    "CheckpointError",
    "Embedder",
    "Encoded",
    "OptionError",
    "PrecisionError",
    "ReferenceRuntime",
    "Runtime",
    "TextError",
    "TextTokenizer",
    "Tokenized",
    "TruncationWarning",
    "load",
    "open_runtime",
    "open_to_serve",
]

_HOME = {
    "Checkpoint": "models.checkpoint",
    "CheckpointError": "models.errors",
    "Embedder": "models.embedder",
    "Encoded": "models.embedder",
    "OptionError": "models.errors",
    "PrecisionError": "models.errors",
    "ReferenceRuntime": "models.runtime",
    "Runtime": "models.runtime",
    "TextError": "models.errors",
    "TextTokenizer": "models.text",
    "Tokenized": "models.text",
    "TruncationWarning": "models.errors",
    "load": "models.loader",
    "open_runtime": "models.runtime",
    "open_to_serve": "models.serving",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)
