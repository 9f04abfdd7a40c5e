"""Search by words: scores as the formula says, whatever is asked for, in bounded time."""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from service.search.points import CollectionInfo, Point
from service.search.store import lexical, wordtable
from service.search.store.rows import pack
from service.search.store.store import Store

INFO = CollectionInfo("c", "s", "dot", 1, "model", "flat", "float32", None, "2026-01-01T00:00:00Z", 0)
NOUNS = ("dog", "cat", "horse", "park", "beach", "ball", "grass", "snow", "river", "zebra")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """With one collection, whose number is 1."""
    with closing(Store.open(tmp_path)) as opened:
        opened.create_collection(INFO)
        yield opened


@pytest.fixture
def texts() -> list[str]:
    """300 sentences of words of which some are frequent and some are not."""
    draw = np.random.default_rng(1)
    shares = 1 / np.arange(1, 1 + len(NOUNS))
    return [" ".join(["the", *draw.choice(NOUNS, draw.integers(1, 9), p=shares / shares.sum())]) for _ in range(300)]


def write(store: Store, texts: Sequence[str | None]) -> list[int]:
    """Row numbers of new points with these texts, with ids from 0 on."""
    vectors = np.ones((len(texts), 1), np.float32)
    points = [Point(number, vectors[number], text) for number, text in enumerate(texts)]
    rows: list[int] = store.upsert(1, pack(points, vectors, "model"), 10**6).rows.tolist()
    return rows


def bm25(rows: Sequence[int], texts: Sequence[str], query: Sequence[str]) -> list[tuple[int, float]]:
    """Every row that has a word, by the formula, best first."""
    split = {row: text.split() for row, text in zip(rows, texts, strict=True)}
    mean = sum(map(len, split.values())) / len(split)
    scores = dict.fromkeys(split, 0.0)
    for word in query:
        having = [row for row, words in split.items() if word in words]
        weight = max(1e-6, math.log((len(split) - len(having) + 0.5) / (len(having) + 0.5)))
        for row in having:
            count = split[row].count(word)
            scores[row] += weight * count * 2.2 / (count + 1.2 * (0.25 + 0.75 * len(split[row]) / mean))
    return sorted(((row, score) for row, score in scores.items() if score), key=lambda one: (-one[1], one[0]))


def same(found: list[tuple[int, float]], expected: list[tuple[int, float]]) -> bool:
    """Equal up to rounding, which may also change the order of two that are all but equal."""
    scores = dict(expected)
    return (
        len(found) == len(expected)
        and np.allclose([score for _, score in found], [score for _, score in expected], rtol=1e-9)
        and all(math.isclose(score, scores[row], rel_tol=1e-9) for row, score in found)
    )


@pytest.mark.parametrize("most_candidates", [10**6, 60], ids=["all are scored", "the rarest words choose"])
def test_scores_are_those_of_the_formula(
    store: Store, texts: list[str], monkeypatch: pytest.MonkeyPatch, most_candidates: int
) -> None:
    monkeypatch.setattr(lexical, "MOST_CANDIDATES", most_candidates)
    rows = write(store, texts)
    for query in (["zebra"], ["the"], ["zebra", "the"], ["river", "zebra", "dog", "cat", "the"], ["snow", "dog"]):
        expected = bm25(rows, texts, query)
        found = store.lexical(1, " ".join(query), 10)
        if most_candidates > len(rows):
            assert same(found, expected[: len(found)])
            assert same(store.lexical(1, " ".join(query), 300), expected)
        else:
            scores = dict(expected)
            assert all(math.isclose(score, scores[row], rel_tol=1e-9) for row, score in found)
            assert found == sorted(found, key=lambda one: (-one[1], one[0]))
        assert len(found) == 10


def test_rare_words_choose_what_frequent_words_only_rank(
    store: Store, texts: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = write(store, texts)
    every = store.lexical(1, "zebra dog the", 5)
    monkeypatch.setattr(lexical, "MOST_CANDIDATES", sum("zebra" in text for text in texts))
    assert same(store.lexical(1, "zebra dog the", 5), every)
    assert {row for row, _ in store.lexical(1, "zebra dog the", 300)} == {
        row for row, text in zip(rows, texts, strict=True) if "zebra" in text
    }


def even(rows: NDArray[np.int64]) -> NDArray[np.bool_]:
    return np.equal(rows % 2, 0)


@pytest.mark.parametrize("best", [400, 1], ids=["enough of the best", "one by one"])
def test_only_allowed_rows_are_answers_and_none_is_missed(
    store: Store, texts: list[str], monkeypatch: pytest.MonkeyPatch, best: int
) -> None:
    monkeypatch.setattr(lexical, "BEST", best)
    rows = write(store, texts)
    last: Callable[[NDArray[np.int64]], NDArray[np.bool_]] = lambda found: found >= rows[-3]  # noqa: E731
    for allowed in (even, last, lambda found: np.zeros(len(found), np.bool_)):
        expected = [pair for pair in bm25(rows, texts, ["dog", "the"]) if allowed(np.array([pair[0]]))[0]]
        assert same(store.lexical(1, "dog the", 300, allowed), expected)
        assert same(store.lexical(1, "dog the", 2, allowed), expected[:2])


def test_equal_scores_go_by_the_row(store: Store) -> None:
    rows = write(store, ["a cat"] * 9)
    assert [row for row, _ in store.lexical(1, "cat", 4)] == rows[:4]


def test_words_are_found_in_other_forms(store: Store) -> None:
    rows = write(store, ["Two DOGS were running", "Žlutý kůň", "naïve café", "猫が寝ている", "e\u0301tude", None, ""])
    found = {
        query: [row for row, _ in store.lexical(1, query, 9)] for query in ("dog runs", "zluty KUN", "cafe", "étude")
    }
    assert found == {"dog runs": rows[:1], "zluty KUN": rows[1:2], "cafe": rows[2:3], "étude": rows[4:5]}


def test_texts_that_are_gone_or_replaced_are_not_found(store: Store) -> None:
    rows = write(store, ["a cat", "a dog", "a cat and a dog"])
    store.delete(1, [0])
    assert [row for row, _ in store.lexical(1, "cat", 9)] == rows[2:]
    new = write(store, ["a zebra", "a zebra", "a zebra"])
    assert store.lexical(1, "cat dog", 9) == []
    assert [row for row, _ in store.lexical(1, "zebras", 9)] == new


@pytest.mark.parametrize("query", ["", "   ", "?!", '""', "\0", "-", "unknown", "*", "^", "\ud800"])
def test_a_query_without_known_words_finds_nothing(store: Store, query: str) -> None:
    write(store, ["a cat", "a dog"])
    assert store.lexical(1, query, 9) == []


@pytest.mark.parametrize(
    "query",
    ['cat" OR "dog', "cat NOT cat", "NEAR(cat dog, 1)", "text:cat", "ca*", "cat AND nothing", "{cat}", "cat\0dog"],
)
def test_operators_of_the_search_engine_are_words(store: Store, query: str) -> None:
    rows = write(store, ["a cat", "a horse"])
    assert {row for row, _ in store.lexical(1, query, 9)} <= set(rows[:1])


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.characters(codec="utf-8"), max_size=60))
def test_any_text_may_be_searched_for_and_finds_itself(store: Store, text: str) -> None:
    (row,) = write(store, [text])
    with store._database.reading() as connection:
        words = wordtable.reader_of_words(connection)(text)
    assert [found for found, _ in store.lexical(1, text, 9)] == ([row] if words else [])


def test_a_long_query_is_cut_to_its_first_words(store: Store) -> None:
    write(store, ["last", "word63"])
    first = [f"word{number}" for number in range(lexical.MOST_WORDS)]
    assert [len(store.lexical(1, " ".join([*first, *first, "last"][skip:]), 9)) for skip in (0, 65)] == [1, 2]


def test_frequent_words_are_looked_up_once_until_the_collection_changes(
    store: Store, texts: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lexical, "FREQUENT", 100)
    write(store, texts)
    looked_up: list[str] = []

    def texts_with(*arguments: object) -> int:
        looked_up.append(str(arguments[-1]))
        return original(*arguments)  # type: ignore[arg-type]

    original = wordtable.texts_with
    monkeypatch.setattr(wordtable, "texts_with", texts_with)
    for _ in range(3):
        store.lexical(1, "the zebra", 5)
    assert looked_up == ["the", "zebra", "zebra", "zebra"]
    store.delete(1, range(200))
    store.lexical(1, "the", 5)
    assert looked_up[4:] == ["the"]
