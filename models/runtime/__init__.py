"""The encoder as the service runs it: token ids in, vectors out."""

from models.runtime.base import Runtime, Vectors
from models.runtime.reference import ReferenceRuntime

__all__ = ["ReferenceRuntime", "Runtime", "Vectors"]
