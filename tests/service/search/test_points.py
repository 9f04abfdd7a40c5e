"""The values that go in and out."""

import dataclasses

import numpy as np
import pytest

from service.search.points import CollectionInfo, Hit, Point, Upserted


def test_values_cannot_be_changed_after_they_are_made() -> None:
    hit = Hit("a", 0.5, None, None)
    with pytest.raises(dataclasses.FrozenInstanceError):
        hit.score = 1.0  # type: ignore[misc]


def test_text_and_metadata_of_a_point_are_optional() -> None:
    point = Point("a", np.zeros(2, np.float32))
    assert (point.text, point.metadata) == (None, None)


def test_equal_answers_are_equal() -> None:
    assert Upserted(("a",), 1, 0) == Upserted(("a",), 1, 0)
    info = CollectionInfo("cats", "sentence", "dot", 2, "f", "flat", "float32", None, "2026-01-01T00:00:00Z", 0)
    assert dataclasses.replace(info, count=3).count == 3
