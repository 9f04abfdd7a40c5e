"""The pieces of the serving benchmark on the real service with the tiny model."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console

from benchmarks.peers.servers import Server, listening, running
from benchmarks.serving import OURS, lengths_table, probing, resident_mb

QUIET = Console(quiet=True)


@pytest.fixture(scope="module")
def server(tiny_bundle: Path) -> Iterator[Server]:
    with running(OURS, tiny_bundle, threads=1) as started:
        yield started
    assert not listening(started.port)


def test_a_server_is_timed_until_it_listens_and_answers_all(server: Server) -> None:
    assert 0.1 < server.start_s < 120
    outcome = server.ask(["a dog", "a cat", "a bird"], connections=2, size=1)
    assert len(outcome.latencies) == 3


def test_a_server_that_is_paused_answers_again_when_it_is_resumed(server: Server) -> None:
    server.pause()
    try:
        state = Path(f"/proc/{server.pid}/status").read_text().partition("State:\t")[2][0]
    finally:
        server.resume()
    assert state == "T"
    assert server.ask(["a dog"], connections=1, size=1).latencies


def test_memory_is_that_of_a_process_with_torch_or_less(server: Server) -> None:
    assert 20 < resident_mb(server.pid) < 2000


def test_probes_are_timed_while_something_else_happens(server: Server) -> None:
    with probing(server) as waited:
        server.ask(["a dog"] * 64, connections=4, size=4)
    assert waited
    assert 0 < min(waited) <= max(waited) < 30


def test_both_streams_of_lengths_are_in_the_table(server: Server) -> None:
    table = lengths_table(server, 32, 1, QUIET)
    assert [row[0].partition(" ")[0] for row in table.rows] == ["all", "5"]
    assert "(" in table.rows[1][2]


def test_a_model_that_cannot_be_served_is_told(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="ended before it listened"), running(OURS, tmp_path, threads=1):
        pass
