"""The encoder as the service runs it: token ids in, vectors out.

The names below are loaded when first used: a service whose model our kernels compute needs no torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from models.runtime.base import PRECISIONS, Device, Precision, PrecisionSetting, Runtime, Vectors
    from models.runtime.reference import ReferenceRuntime
    from models.runtime.select import open_runtime

__all__ = [
    "PRECISIONS",
    "Device",
    "Precision",
    "PrecisionSetting",
    "ReferenceRuntime",
    "Runtime",
    "Vectors",
    "open_runtime",
]

_HOME = {
    "PRECISIONS": "base",
    "Device": "base",
    "Precision": "base",
    "PrecisionSetting": "base",
    "ReferenceRuntime": "reference",
    "Runtime": "base",
    "Vectors": "base",
    "open_runtime": "select",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"models.runtime.{_HOME[name]}"), name)
