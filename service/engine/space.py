"""What a text can be turned into."""

from typing import Literal

Space = Literal["sentence", "grounded"]
"""The two spaces a text can be embedded in."""

Output = Literal["sentence", "grounded", "tokens"]
"""A vector in one of them, or the states of its tokens."""
