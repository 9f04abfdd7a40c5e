"""Counts without locks: what a scrape reads is what the library's own would say."""

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from service.telemetry.tallies import Durations, Tallies, Tally

BOUNDS = (0.001, 0.01, 1)
SEEN = (0.0, 0.001, 0.0011, 0.5, 1.0, 7.0)


def scraped(registry: CollectorRegistry) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    families = text_string_to_metric_families(generate_latest(registry).decode())
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in families
        for sample in family.samples
        if not sample.name.endswith("_created")
    }


def test_they_read_as_those_of_the_library() -> None:
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    tally, counter = Tally("a", "A.", registry=ours), Counter("a", "A.", registry=theirs)
    tallies = Tallies("b", "B.", ("x", "y"), registry=ours)
    counters = Counter("b", "B.", ("x", "y"), registry=theirs)
    durations = Durations("c", "C.", ("p", "q"), BOUNDS, registry=ours)
    histogram = Histogram("c", "C.", ("stage",), buckets=BOUNDS, registry=theirs)
    for amount in (3, 0, 4):
        tally.inc(amount)
        counter.inc(amount)
    for values, amount in ((("1", "2"), 0), (("1", "3"), 2), (("1", "3"), 1)):
        tallies.inc(values, amount)
        counters.labels(*values).inc(amount)
    histogram.labels("q")
    for seconds in SEEN:
        durations.observe("p", seconds)
        histogram.labels("p").observe(seconds)
    assert scraped(ours) == scraped(theirs)
    assert scraped(ours)["b_total", frozenset({("x", "1"), ("y", "3")})] == 3


def test_a_stage_that_nothing_was_seen_of_has_its_zeros() -> None:
    registry = CollectorRegistry()
    Durations("c", "C.", ("p",), BOUNDS, registry=registry)
    zeros = scraped(registry)
    assert len(zeros) == len(BOUNDS) + 3
    assert set(zeros.values()) == {0.0}
