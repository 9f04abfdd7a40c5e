"""How the records of a file are to be read."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

Format: TypeAlias = Literal["jsonl", "csv", "text"]

CellType: TypeAlias = Literal["string", "int", "float", "bool", "json"]
"""What the cells of a CSV column are read as."""

MOST_LINE_BYTES = 1024 * 1024
"""Holds a text and a metadata at the service's limits beside a vector of more than 30,000 numbers."""


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """Which field is what. All that is neither id, text nor vector is metadata."""

    id_field: str = "id"
    text_field: str = "text"
    vector_field: str | None = "vector"
    """None where a vector is of no use, so that a record needs a text"""
    metadata_fields: frozenset[str] | None = None
    """Only these fields are metadata; None is every other field."""
    types: Mapping[str, CellType] = field(default_factory=dict)
    """CSV only: type of a column. One that is not named holds strings, so that 007 stays 007."""
    delimiter: str = ","
    """CSV only: one character of ASCII."""
    max_line_bytes: int = MOST_LINE_BYTES
    """A longer line, or CSV record of several lines, is rejected, and is never held in memory."""

    @property
    def needed(self) -> str:
        """The fields of which a record needs one, as a message names them."""
        return self.text_field if self.vector_field is None else f"{self.text_field} or {self.vector_field}"


DEFAULT = ReadOptions()
