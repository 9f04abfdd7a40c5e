from benchmarks.client import Outcome
from benchmarks.peers.http import BASE, OURS, PATTERNS, Measured, Seen, tables
from benchmarks.peers.servers import PLANS


def seen(*seconds: float) -> Seen:
    found = Seen()
    for each in seconds:
        found.add(Outcome(each, [each / 10] * 99 + [each]), 100)
    return found


def test_rows_hold_rates_and_latencies_beside_those_of_the_base() -> None:
    found = {(name, pattern.name): seen(1.0, 2.0) for name in PLANS for pattern in PATTERNS}
    found[OURS, PATTERNS[0].name] = seen(0.25, 0.4)
    first, cost = tables(Measured(found, in_process=[200.0, 100.0]), "servers")
    assert len(first.rows) == len(PLANS) * len(PATTERNS)
    row = next(row for row in first.rows if row[:2] == (PATTERNS[0].name, OURS))
    assert row[2:4] == ("325", "4.50 (4.00 to 5.00)")
    assert row[5] == "0.23 (0.20 to 0.25)"
    assert next(row for row in first.rows if row[1] == BASE)[3] == "1.00 (1.00 to 1.00)"
    assert cost.rows[1][2] == "0.50 (0.50 to 0.50)"


def test_the_99th_percentile_is_of_the_requests_of_a_round() -> None:
    one = seen(1.0)
    assert (one.sentences_per_s, one.p50_ms, one.p99_ms) == ([100.0], [100.0], [100.0])
    assert seen(2.0).p99_ms == [200.0]


def test_patterns_are_named_in_words() -> None:
    assert [pattern.name for pattern in PATTERNS] == ["1 connection x 1", "16 connections x 1", "8 connections x 32"]
