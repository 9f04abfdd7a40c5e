"""The fairness benchmark on the real service with the tiny model."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks import fairness
from benchmarks.fairness import measure, sending, tables
from benchmarks.peers.servers import PLANS, Server, running

WORDS = ["dog", "cat", "man", "girl", "ball", "snow", "car", "tree"]


@pytest.fixture(scope="module")
def server(tiny_bundle: Path) -> Iterator[Server]:
    with running(PLANS["mcse"], tiny_bundle, threads=1, settings={"MCSE_MAX_ITEMS": "50"}) as started:
        yield started


def test_every_load_has_its_turn_and_its_row(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fairness, "LARGE_S", 0.1)
    monkeypatch.setattr(fairness, "PAUSE_S", 0.0)
    texts = [f"{one} {other} {third}" for one in WORDS for other in WORDS for third in WORDS]
    seen = measure(server, texts[:10], texts[10:110], items=50, rounds=2)
    assert all(
        len(values) == 2 and all(value > 0 for value in values)
        for values in (seen.idle_p99, seen.beside_p99, seen.large_alone, seen.large_beside, seen.probe_longest)
    )
    waits, rates, _ = tables(seen, 50)
    assert [row[0] for row in waits.rows] == ["nothing else", "beside requests of 50 texts"]
    assert rates.rows[1][2]


def test_a_refused_large_request_ends_the_run(server: Server) -> None:
    with pytest.raises(RuntimeError, match="422"), sending(server, ["{}"]):
        pass
