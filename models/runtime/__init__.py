"""The encoder as the service runs it: token ids in, vectors out."""

from models.runtime.base import PRECISIONS, Precision, Runtime, Vectors
from models.runtime.reference import ReferenceRuntime
from models.runtime.select import Device, PrecisionSetting, open_runtime

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
