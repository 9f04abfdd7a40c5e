"""Reach Qdrant, or say in one sentence why not."""

import socket
import threading
import time

import pytest
from qdrant_client import QdrantClient, models

from service.errors import DeadlineExceeded, StoreError, Unavailable
from service.search.qdrant.connection import Connection, open_qdrant, require_done
from tests.service.search.qdrant.conftest import FakeQdrant

SECRET = "canary-key"  # noqa: S105


def test_a_server_that_answers_is_opened_with_the_key(fake: FakeQdrant) -> None:
    client = open_qdrant(fake.url, SECRET)
    client.close()
    assert fake.key == SECRET
    assert [line for line, _ in fake.asked] == ["GET /", "GET /collections"]


@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        ({"GET /": {"title": "qdrant", "version": "1.16.3"}}, "version 1.16.3; expected 1.17"),
        ({"GET /collections": (401, {"status": {"error": "canary-of-qdrant"}})}, "MCSE_QDRANT_API_KEY"),
        ({"GET /collections": (403, {"status": {"error": "canary-of-qdrant"}})}, "MCSE_QDRANT_API_KEY"),
        ({"GET /": (200, b"<html>canary-of-qdrant")}, "MCSE_QDRANT_URL"),
        ({"GET /": {"hello": "canary-of-qdrant"}}, "MCSE_QDRANT_URL"),
        ({"GET /": (404, {})}, "cannot be used"),
        ({"GET /": (500, b"canary-of-qdrant")}, "500"),
    ],
)
def test_a_server_that_is_of_no_use_stops_the_start(fake: FakeQdrant, answers: dict[str, object], reason: str) -> None:
    fake.answers.update(answers)
    with pytest.raises(StoreError, match=reason) as told:
        open_qdrant(fake.url, SECRET)
    assert "canary" not in str(told.value)


def test_a_development_version_is_new_enough(fake: FakeQdrant) -> None:
    fake.answers["GET /"] = {"title": "qdrant", "version": "1.20.1-dev"}
    open_qdrant(fake.url).close()


def test_nobody_at_the_address_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(StoreError, match="cannot be reached") as told:
        open_qdrant(f"http://127.0.0.1:{port}", SECRET)
    assert SECRET not in str(told.value)


def test_a_server_that_is_silent_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(StoreError, match="in time"):
        open_qdrant(f"http://127.0.0.1:{silent.getsockname()[1]}", timeout_s=1)


@pytest.mark.parametrize("url", ["", "nonsense://", "http://", "http://[", "http://host:port"])
def test_what_is_no_address_is_told(url: str) -> None:
    with pytest.raises(StoreError, match="MCSE_QDRANT_URL"):
        open_qdrant(url, timeout_s=1)


def test_closing_waits_for_running_calls_and_refuses_later_ones() -> None:
    connection = Connection(QdrantClient(":memory:"))
    inside, events = threading.Event(), []

    def call() -> None:
        with connection.calling() as client:
            inside.set()
            time.sleep(0.2)
            client.get_collections()
            events.append("called")

    thread = threading.Thread(target=call)
    thread.start()
    inside.wait(5)
    connection.close()
    events.append("closed")
    thread.join()
    assert events == ["called", "closed"]
    with pytest.raises(Unavailable, match="stopping"), connection.calling():
        pass
    connection.close()


def test_a_failure_of_our_own_stays_what_it_is() -> None:
    connection = Connection(QdrantClient(":memory:"))
    with pytest.raises(KeyError), connection.calling():
        raise KeyError("ours")
    connection.close()


@pytest.mark.parametrize("status", [models.UpdateStatus.ACKNOWLEDGED, models.UpdateStatus.WAIT_TIMEOUT])
def test_a_write_that_is_only_queued_is_not_done(status: models.UpdateStatus) -> None:
    done = models.UpdateResult(operation_id=1, status=models.UpdateStatus.COMPLETED)
    require_done(done)
    with pytest.raises(DeadlineExceeded):
        require_done(done, models.UpdateResult(operation_id=2, status=status))
