from collections.abc import Callable

import numpy as np
import pytest

from service.search.indexes.graph_check import NOWHERE, Parts, require_sound

ROOM, LINKED, DEGREE = 8, 5, 2


def sound() -> Parts:
    """Five places in a ring; the places 1 and 3 are on the first level too, and link to each other."""
    ground = np.full((ROOM, 2 * DEGREE), NOWHERE, np.uint32)
    ground[:LINKED, 1] = (np.arange(LINKED) + 1) % LINKED
    first, levels = np.zeros(ROOM, np.uint32), np.zeros(ROOM, np.uint8)
    levels[[1, 3]], first[[1, 3]] = 1, (0, 1)
    levels[LINKED:] = 255  # nobody wrote there
    upper = np.full((4, DEGREE), NOWHERE, np.uint32)
    upper[0, 0], upper[1, 0] = 3, 1
    return Parts(ground, first, levels, upper)


def require(parts: Parts, *, linked: int = LINKED, upper_used: int = 2, entry: int = (2 << 32) | 1) -> None:
    require_sound(parts, linked=linked, upper_used=upper_used, entry=entry)


def test_a_graph_that_stays_inside_is_sound() -> None:
    require(sound())
    empty = np.empty((0, 4), np.uint32)
    nothing = Parts(empty, np.empty(0, np.uint32), np.empty(0, np.uint8), np.empty((0, 2), np.uint32))
    require_sound(nothing, linked=0, upper_used=0, entry=0)


CHANGES: dict[str, Callable[[Parts], None]] = {
    "a link out": lambda parts: parts.ground.__setitem__((2, 2), ROOM),
    "a link to what is not linked": lambda parts: parts.ground.__setitem__((2, 2), LINKED),
    "a twin out": lambda parts: parts.ground.__setitem__((2, 0), 1 << 31),
    "a level that is none": lambda parts: parts.levels.__setitem__(2, 12),
    "upper links behind the end": lambda parts: parts.first.__setitem__(3, 2),
    "an upper link out": lambda parts: parts.upper.__setitem__((0, 1), ROOM),
    "an upper link to the ground": lambda parts: parts.upper.__setitem__((0, 1), 2),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_graph_that_leads_out_is_not(change: str) -> None:
    parts = sound()
    CHANGES[change](parts)
    with pytest.raises(ValueError, match="its graph"):
        require(parts)


@pytest.mark.parametrize(
    "numbers",
    [
        {"linked": -1},
        {"linked": ROOM + 1},
        {"upper_used": -1},
        {"upper_used": 5},
        {"entry": (1 << 32) | LINKED},
        {"entry": (3 << 32) | 1},
        {"entry": (2 << 32) | 2},
        {"entry": (14 << 32) | 1},
    ],
    ids=str,
)
def test_numbers_that_do_not_fit_are_told(numbers: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"numbers of places|entry of its graph"):
        require(sound(), **numbers)
