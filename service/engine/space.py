"""The two spaces a text can be embedded in."""

from typing import Literal

Space = Literal["sentence", "grounded"]
