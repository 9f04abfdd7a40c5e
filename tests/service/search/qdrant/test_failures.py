"""What Qdrant fails with becomes an error of the service, in our own words."""

import numpy as np
import pytest

from service.errors import (
    BodyTooLarge,
    Conflict,
    DeadlineExceeded,
    InvalidInput,
    NotFound,
    Overloaded,
    ServiceError,
    StorageFull,
    Unavailable,
)
from service.search.points import Point, Search, Selection
from tests.service.search.qdrant.conftest import FakeQdrant, Opened

CANARY = {"status": {"error": "canary-of-qdrant: the text that was sent"}}

STATUSES: list[tuple[tuple[object, ...], type[ServiceError]]] = [
    ((400, CANARY), InvalidInput),
    ((401, CANARY), Unavailable),
    ((403, CANARY), Unavailable),
    ((404, CANARY), NotFound),
    ((408, CANARY), DeadlineExceeded),
    ((409, CANARY), Conflict),
    ((413, CANARY), BodyTooLarge),
    ((422, CANARY), InvalidInput),
    ((429, CANARY, {"retry-after": "7"}), Overloaded),
    ((429, CANARY), Overloaded),
    ((500, CANARY), Unavailable),
    ((500, {"status": {"error": "Service error: No space left on device: WAL"}}), StorageFull),
    ((503, b""), Unavailable),
    ((504, CANARY), DeadlineExceeded),
    ((507, CANARY), StorageFull),
    ((200, b"canary-of-qdrant, no JSON"), Unavailable),
    ((200, {"canary-of-qdrant": 1}), Unavailable),
]


@pytest.mark.parametrize(("answer", "kind"), STATUSES)
def test_a_status_becomes_an_error(fake: FakeQdrant, opened: Opened, answer: object, kind: type[ServiceError]) -> None:
    cats = opened().get("cats")
    for line in ("POST /collections/cats/points", "POST /collections/cats/points/count"):
        fake.answers[line] = answer
    fake.answers["PUT /collections/cats/points"] = answer
    vector = np.ones(4, np.float32)
    for call in (cats.count, lambda: cats.get(["a"]), lambda: cats.upsert([Point("a", vector)])):
        with pytest.raises(kind) as told:
            call()
        assert type(told.value) is kind
        assert "canary" not in told.value.message
        assert told.value.message.endswith(".")


def test_the_time_to_wait_is_passed_on(fake: FakeQdrant, opened: Opened) -> None:
    cats = opened().get("cats")
    fake.answers["POST /collections/cats/points/count"] = (429, CANARY, {"retry-after": "7"})
    with pytest.raises(Overloaded) as told:
        cats.count()
    assert told.value.retry_after == 7


@pytest.mark.parametrize("status", ["acknowledged", "wait_timeout"])
def test_a_write_that_is_not_confirmed_is_no_write(fake: FakeQdrant, opened: Opened, status: str) -> None:
    cats = opened().get("cats")
    for line in fake.answers:
        if "/points" in line and isinstance(fake.answers[line], dict) and "operation_id" in fake.answers[line]:
            fake.answers[line] = {"operation_id": 1, "status": status}
    everyone = Selection(ids=["a"])
    for call in (
        lambda: cats.upsert([Point("a", np.ones(4, np.float32))]),
        lambda: cats.delete(everyone),
        lambda: cats.set_metadata(everyone, {"a": 1}),
        lambda: cats.delete_metadata(everyone, ["a"]),
    ):
        with pytest.raises(DeadlineExceeded):
            call()


def test_a_server_that_went_away_is_unavailable_and_verify_says_so(fake: FakeQdrant, opened: Opened) -> None:
    backend = opened()
    cats = backend.get("cats")
    assert backend.verify() == []
    fake.answers["GET /collections"] = (503, b"")
    assert backend.verify() == ["qdrant"]
    fake.answers.clear()
    with pytest.raises(NotFound, match='no collection "cats"'):
        cats.search(Search(np.ones((1, 4), np.float32)))
