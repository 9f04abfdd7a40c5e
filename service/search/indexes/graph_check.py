"""Whether a graph that was read from a file leads to its own places only: the kernel follows its links without a look.

The digest of the file tells damage; this is for a file that somebody made with a right digest.
"""

from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

MOST_LEVELS = 12  # as in graph.h
NOWHERE = np.uint32(0xFFFFFFFF)

Numbers: TypeAlias = NDArray[np.uint32]


class Parts(NamedTuple):
    """The arrays of a graph, as far as there is room."""

    ground: Numbers
    """(places, 2 x degree): the next twin, and links"""
    first: Numbers
    """(places,): where the links of the upper levels start in `upper`"""
    levels: NDArray[np.uint8]
    """(places,)"""
    upper: Numbers
    """(lists, degree): links of the upper levels"""


def require_sound(parts: Parts, *, linked: int, upper_used: int, entry: int) -> None:
    """Raise ValueError where a link, a level or a place would lead the kernel out of its memory.

    Nobody wrote to what is behind the `linked` places, and nothing leads there.
    """
    if not (0 <= linked <= len(parts.levels) and 0 <= upper_used <= len(parts.upper)):
        raise ValueError("its numbers of places do not fit each other")
    ground, first, levels = parts.ground[:linked], parts.first[:linked].astype(np.int64), parts.levels[:linked]
    top, start = entry >> 32, entry & int(NOWHERE)
    if entry and (top > MOST_LEVELS or start >= linked or int(levels[start]) < top - 1):
        raise ValueError("the entry of its graph is no place of it")
    if (levels >= MOST_LEVELS).any() or ((ground >= linked) & (ground != NOWHERE)).any():
        raise ValueError("its graph leads to places that it does not have")
    raised = np.flatnonzero(levels)
    if (first[raised] + levels[raised] > upper_used).any():
        raise ValueError("its graph has fewer upper links than it says")
    for level in range(1, MOST_LEVELS):
        links = parts.upper[first[raised[levels[raised] >= level]] + level - 1]
        targets = links[links != NOWHERE]
        if (targets >= linked).any() or (levels[targets] < level).any():
            raise ValueError("its graph leads to places that are not on the level")
