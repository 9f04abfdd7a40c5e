"""Find texts by their words, the best first by BM25, in a time that does not grow with how frequent the words are.

Every text that has one of the words must be scored, which takes a second for a million of them. So only the rarest
words choose the candidates, as many words as have MOST_CANDIDATES texts together; then the best of those are scored
with all words. For sentences of an encyclopedia, searched for among 200,000 others, this finds 99 % of the ten best
that scoring every text finds.

The formula is FTS5's own, with k1 = 1.2 and b = 0.75 (Robertson and Zaragoza 2009, "The Probabilistic Relevance
Framework: BM25 and Beyond").
"""

# ruff: noqa: S608 - what is put into SQL is names and numbers of our own

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import apsw
import numpy as np
from numpy.typing import NDArray

from service.search.store import wordtable
from service.search.store.wordtable import Size, Word, any_of, reader_of_words

MOST_WORDS = 64  # of one search; the later ones are left out
MOST_CANDIDATES = 20_000  # texts that are scored by one search
BEST = 400  # of them that are scored with all words, if there are more words than chose them
FREQUENT = 4_096  # texts; how many have such a word is remembered, because finding out takes a while
K1, B = 1.2, 0.75
LEAST_WEIGHT = 1e-6  # of a word that is in more than half of all texts

RowNumbers = NDArray[np.int64]
Allowed: TypeAlias = Callable[[RowNumbers], NDArray[np.bool_]]
Scored: TypeAlias = list[tuple[int, float]]


class Remembered(NamedTuple):
    """How many texts have the frequent words of a collection, found out when it had so many texts up to this row."""

    texts: int
    last_row: int
    frequencies: dict[str, int]

    def holds(self, texts: int, last_row: int) -> bool:
        """Whether the collection is still nearly the same."""
        return 16 * (abs(texts - self.texts) + last_row - self.last_row) <= texts


class Lexical:
    """Searches by words. Any thread may call any method: what is remembered is only ever replaced as a whole."""

    def __init__(self) -> None:
        self._remembered: dict[int, Remembered] = {}

    def search(
        self, connection: apsw.Connection, number: int, words: str, limit: int, allowed: Allowed | None
    ) -> Scored:
        """At most `limit` rows with their scores, best first, equal ones by the lower row."""
        query = _distinct(reader_of_words(connection)(words))
        frequencies = self._frequencies(connection, number, query)
        if not frequencies or limit < 1:
            return []
        chosen = _rarest(frequencies)
        if len(chosen) == len(frequencies):
            return _best(connection, number, chosen, limit, allowed)
        found = _best(connection, number, chosen, max(BEST, limit), allowed)
        return _scored_with_all(connection, number, [row for row, _ in found], frequencies)[:limit]

    def forget(self, number: int) -> None:
        """The collection was dropped."""
        self._remembered.pop(number, None)

    def _frequencies(self, connection: apsw.Connection, number: int, query: Sequence[Word]) -> dict[Word, int]:
        """Word -> how many texts have it; without the words that none has."""
        known = self._known(connection, number)
        found = {}
        for word in query:
            frequency = known.get(word.folded)
            if frequency is None:
                frequency = wordtable.texts_with(connection, number, word.folded)
                if frequency >= FREQUENT:
                    known[word.folded] = frequency
            if frequency:
                found[word] = frequency
        return found

    def _known(self, connection: apsw.Connection, number: int) -> dict[str, int]:
        texts = connection.execute("SELECT texts FROM collections WHERE collection = ?", (number,)).get or 0
        last_row = connection.execute("SELECT max(row) FROM points WHERE collection = ?", (number,)).get or 0
        remembered = self._remembered.get(number)
        if remembered is None or not remembered.holds(texts, last_row):
            remembered = self._remembered[number] = Remembered(texts, last_row, {})
        return remembered.frequencies


def _distinct(words: Sequence[Word]) -> list[Word]:
    """The first MOST_WORDS that are folded to different ones."""
    return list({word.folded: word for word in reversed(words)}.values())[::-1][:MOST_WORDS]


def _rarest(frequencies: Mapping[Word, int]) -> list[Word]:
    """The rarest words, at least one, that have at most MOST_CANDIDATES texts together."""
    ordered = sorted(frequencies, key=lambda word: (frequencies[word], word.folded))
    sums = np.cumsum([frequencies[word] for word in ordered])
    return ordered[: max(1, int(np.searchsorted(sums, MOST_CANDIDATES, side="right")))]


def _best(
    connection: apsw.Connection, number: int, words: Sequence[Word], limit: int, allowed: Allowed | None
) -> Scored:
    """The best `limit` of the allowed rows that have one of the words."""
    match = any_of(words)
    if allowed is None:
        return _ranked(connection, number, match, limit)
    tried = max(BEST, 4 * limit)
    ranked = _ranked(connection, number, match, tried)
    good = allowed(np.array([row for row, _ in ranked], np.int64))
    kept = [pair for pair, is_good in zip(ranked, good.tolist(), strict=True) if is_good]
    if len(kept) >= limit or len(ranked) < tried:
        return kept[:limit]
    rows = wordtable.rows_with(connection, number, match)
    return _ranked(connection, number, match, limit, rows[allowed(rows)][:MOST_CANDIDATES])


def _ranked(
    connection: apsw.Connection, number: int, match: str, limit: int, within: RowNumbers | None = None
) -> Scored:
    """The best rows for `match` by its words alone; of the first MOST_CANDIDATES, if there are more."""
    if within is not None and not len(within):
        return []
    # The plus keeps SQLite from asking FTS5 once for each row.
    narrowed, rows = ("", ()) if within is None else ("AND +rowid IN carray(?)", (apsw.carray(within),))
    ranked: Any = connection.execute(
        f"SELECT rowid, score FROM (SELECT rowid, -bm25(words_{number}) AS score FROM words_{number}"
        f" WHERE words_{number} MATCH ? {narrowed} LIMIT ?) ORDER BY score DESC, rowid LIMIT ?",
        (match, *rows, MOST_CANDIDATES, limit),
    ).fetchall()
    return list(ranked)


def _scored_with_all(
    connection: apsw.Connection, number: int, rows: Sequence[int], frequencies: Mapping[Word, int]
) -> Scored:
    """These rows in the order of their scores by all words."""
    if not rows:
        return []
    size = wordtable.size(connection, number, next(iter(frequencies)).written)
    weights = {word.folded: _weight(frequency, size) for word, frequency in frequencies.items()}
    read = reader_of_words(connection)
    select = "SELECT row, text FROM points WHERE row IN carray(?) AND text IS NOT NULL"
    found = connection.execute(select, (apsw.carray(np.array(rows, np.int64)),))
    scores = [(row, _score([word.folded for word in read(text)], weights, size)) for row, text in found]
    return sorted(scores, key=lambda scored: (-scored[1], scored[0]))


def _weight(frequency: int, size: Size) -> float:
    """The inverse document frequency."""
    weight = math.log((size.texts - frequency + 0.5) / (frequency + 0.5)) if frequency <= size.texts else 0.0
    return weight if weight > 0 else LEAST_WEIGHT


def _score(text: Sequence[str], weights: Mapping[str, float], size: Size) -> float:
    norm = K1 * (1 - B + B * len(text) * size.texts / size.words)
    counts = ((weight, text.count(word)) for word, weight in weights.items())
    return sum(weight * count * (K1 + 1) / (count + norm) for weight, count in counts if count)
