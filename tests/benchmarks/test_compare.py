import pytest

from benchmarks.compare import Spread, markdown, paired, show, turns
from models.bench.tables import Table


def test_a_drift_that_hits_both_leaves_the_ratio_alone() -> None:
    assert paired([2.0, 20.0, 200.0], [1.0, 10.0, 100.0]) == Spread(2.0, 2.0, 2.0)


def test_the_spread_is_of_the_ratios_and_not_of_their_parts() -> None:
    found = paired([10.0, 30.0, 12.0], [10.0, 10.0, 2.0])
    assert found == Spread(3.0, 1.0, 6.0)
    assert found.told() == "3.00 (1.00 to 6.00)"


def test_rounds_that_do_not_match_are_refused() -> None:
    with pytest.raises(ValueError, match="shorter"):
        paired([1.0, 2.0], [1.0])
    with pytest.raises(ValueError, match="at least one"):
        Spread.of([])


def test_everybody_has_a_turn_in_each_round_and_none_is_always_first() -> None:
    order = list(turns(["a", "b", "c"], 4))
    assert order == [["a", "b", "c"], ["b", "c", "a"], ["c", "a", "b"], ["a", "b", "c"]]


TABLE = Table("Rates", ("way", "sentences/s"), (("one", "1"), ("other", "2,000")))


def test_a_table_as_markdown() -> None:
    assert markdown(TABLE).splitlines() == [
        "| way | sentences/s |",
        "| --- | ---: |",
        "| one | 1 |",
        "| other | 2,000 |",
    ]


@pytest.mark.parametrize("as_markdown", [True, False])
def test_tables_are_shown_with_their_notes(capsys: pytest.CaptureFixture[str], as_markdown: bool) -> None:
    show([TABLE], {"base": "one"}, as_markdown=as_markdown)
    out = capsys.readouterr().out
    assert ("| other | 2,000 |" in out) is as_markdown
    assert "Rates" in out
    assert "2,000" in out
    assert "base: one" in out
