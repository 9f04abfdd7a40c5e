"""Each of the 25 pitfalls of the original MCSE and SimCSE code is named by the test that keeps us out of it.

1-3 data preparation that cannot run, unseeded captions, names that do not match; 4 defaults that contradict the
scripts; 5 ablations that are ignored; 6 token types; 7 floors and zero divisions of the mixture; 8 one GPU, no
gather; 9 the model family by name; 10 modes and seeds; 11 evaluation of what is not needed; 12 clipping and epsilon;
13 old library classes; 14 two poolers; 15 the wrong default pooling and tables that fail; 16 first-last; 17 batch
means of geometry; 18 ragged arrays; 19 unlabelled rows and quotes; 20 aggregations; 21 heads in training only; 22
temperature and independent dropout; 23 seeds; 24 batch size; 25 augmentation.
"""

import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
NAMED = re.compile(r"pitfalls?[ _](\d+)\b|pitfall_(\d+)", re.IGNORECASE)


def named() -> dict[int, set[str]]:
    found: dict[int, set[str]] = {}
    for path in TESTS.rglob("test_*.py"):
        if path != Path(__file__):
            for one, other in NAMED.findall(path.read_text(encoding="utf-8")):
                found.setdefault(int(one or other), set()).add(path.name)
    return found


@pytest.mark.parametrize("pitfall", range(1, 26))
def test_every_pitfall_is_named_by_a_test(pitfall: int) -> None:
    assert named().get(pitfall), f"no test names pitfall {pitfall}"
