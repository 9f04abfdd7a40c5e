"""The benchmark of HTTP on a real server: every form is answered, and what is counted is what was asked."""

from collections.abc import Iterator

import orjson
import pytest

from benchmarks.http import cost, peer
from benchmarks.http.cost import ALONE, BARE, FORMS, MANY, TOGETHER
from benchmarks.http.load import Cost, Form, Load, ask
from benchmarks.http.load import cost as cost_of
from benchmarks.http.serving import Server, running, serve_ours


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running(serve_ours, 13) as started:
        yield started


@pytest.mark.parametrize("name", [name for name in FORMS if name != BARE])
def test_the_service_answers_in_every_form_that_is_measured(server: Server, name: str) -> None:
    found = ask(server, FORMS[name], Load(2, 3), 0.2)
    assert found.requests_per_s > 0
    assert 0 < found.p50_ms < 1000


def test_a_server_that_was_stopped_goes_on(server: Server) -> None:
    server.pause()
    server.resume()
    assert ask(server, Form(), ALONE, 0.2).requests_per_s > 0


def test_a_refused_request_is_no_figure(server: Server) -> None:
    with pytest.raises(RuntimeError, match=r"answered b.HTTP/1\.1 422"):
        ask(server, Form(more={"unknown": 1}), ALONE, 1)


def test_a_request_holds_so_many_texts_and_says_how_long_it_is() -> None:
    head, _, body = Form("/x", "input", {"a": 1}, "b/c").request(3).partition(b"\r\n\r\n")
    assert len(orjson.loads(body)["input"]) == 3
    assert orjson.loads(body)["a"] == 1
    assert head.startswith(b"POST /x HTTP/1.1\r\n")
    assert b"accept: b/c\r\n" in head
    assert head.endswith(b"content-length: %d" % len(body))


def test_a_cost_is_of_a_request() -> None:
    assert cost_of([0.001, 0.002, 0.009], elapsed=1.5, spent=0.003) == Cost(2.0, 1.0, 2.0)
    with pytest.raises(RuntimeError, match="no request"):
        cost_of([], 1.0, 0.0)


def test_a_further_text_costs_what_many_cost_more_than_one() -> None:
    seen = {name: cost.Seen() for name in FORMS}
    for its in seen.values():
        its.add({ALONE: Cost(10, 0.4, 1), TOGETHER: Cost(4000, 0.2, 1), MANY: Cost(5, 0.4 + 64 * 0.02, 1)})
    (table,) = cost.tables(seen)
    assert table.rows[0] == ("JSON", "0.400 (0.400 to 0.400)", "0.200 (0.200 to 0.200)", "20.0 (20.0 to 20.0)", "4,000")
    assert [row[0] for row in table.rows] == list(FORMS)


def test_the_peer_is_compared_round_by_round() -> None:
    seen = {
        (load, name): peer.Seen([100.0, 200.0], [1.0, 1.0], [2.0, 2.0]) for load in peer.LOADS for name in peer.FORMS
    }
    seen[peer.LOADS[0], peer.OURS] = peer.Seen([400.0, 1000.0], [0.25, 0.25], [0.5, 0.5])
    (table,) = peer.tables(seen)
    assert table.rows[0][:4] == ("1 connection x 1", "mcse", "700", "4.50 (4.00 to 5.00)")
    assert table.rows[1][3] == "1.00 (1.00 to 1.00)"
