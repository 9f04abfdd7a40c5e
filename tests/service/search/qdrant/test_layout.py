"""Ids as Qdrant's keys."""

import uuid

from service.search.points import PointId
from service.search.qdrant.layout import key_of


def test_every_id_has_a_key_of_its_own() -> None:
    ids: list[PointId] = [0, 1, -1, "0", "1", "-1", "", 2**63 - 1, -(2**63), "text:1", "integer:-1", "é"]
    ids += [str(key_of(-1)), str(key_of("1"))]
    assert len({key_of(point_id) for point_id in ids}) == len(ids)


def test_numbers_stay_and_the_rest_are_uuids() -> None:
    assert key_of(7) == 7
    for point_id in ("7", -7):
        assert uuid.UUID(str(key_of(point_id))).version == 5


def test_keys_never_change_from_one_release_to_the_next() -> None:
    assert key_of("a") == "1421c2d5-eeb4-5aac-bdb3-6e8750c56f1f"
    assert key_of(-1) == "4f03cd86-30cd-5c05-8826-c342d28e0d5a"
