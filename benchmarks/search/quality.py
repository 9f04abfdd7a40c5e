"""Retrieval by vectors, by words and by both: a caption finds the others of its image, three words their sentence."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from benchmarks.peers.texts import data_folder
from benchmarks.search.embedding import embed
from benchmarks.search.ours import create, fill, opened, settle
from benchmarks.search.report import Report
from benchmarks.search.vectors import real_vectors
from models.bench.tables import Table
from models.runtime.base import PrecisionSetting
from service.search.embedded.collection import StoredCollection
from service.search.fusion import LEXICAL_WEIGHT, K, reciprocal_rank_fusion
from service.search.points import Mode, Search
from training.data.captions import read_captions

CAPTIONS: Mapping[str, str] = {
    "Flickr8k": "flickr8k/Flickr8k.token.txt",
    "COCO val2017": "captions/coco-val2017/captions_val2017.json",
}
WORDS = "three words"
SENTENCES = 40_000  # of Wikipedia, among which three words of one must find it
SHORTEST_WORD = 4  # letters
MODES: tuple[Mode, ...] = ("dense", "lexical", "hybrid")
KS = (1, 2, 5, 60)
WEIGHTS = (0.05, 0.1, 0.2, 0.3, 0.5, 1.0)
HITS = 10
DEPTH = 100  # hits of each search that a hybrid search of 10 joins
BATCH = 100  # queries a call
PRECISION: PrecisionSetting = "auto"  # as the service encodes

Ranked = list[tuple[int, float]]
"""Ids and scores, best first."""


@dataclass(frozen=True, slots=True)
class Texts:
    """Some texts, each with the number of what it is about: a query is to find those of the same number."""

    texts: list[str]
    subjects: list[int]


@dataclass(frozen=True, slots=True)
class Scores:
    """Over some queries, times 100."""

    recall_1: float
    """Queries whose best hit is right."""
    recall_10: float
    """Queries with a right one among the best 10."""
    mrr_10: float
    """Mean of 1 over the rank of the first right one, 0 where it is not among the best 10."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """Of one set."""

    points: int
    swept: dict[tuple[int, float], Scores]
    """By the constant and the weight of the fusion, on one half of the queries; (K, 0) is without the words."""
    by_mode: dict[Mode, Scores]
    """On the other half, as the service searches."""


def measure(queries: int) -> Report:
    """Search with so many queries of each set, one half of which is for choosing how the fusion weighs."""
    sets = {name: split(read_captions(data_folder() / path)) for name, path in CAPTIONS.items()}
    sets[WORDS] = by_words(real_vectors(SENTENCES)[1])
    return report({name: _outcome(*pair, queries) for name, pair in sets.items()}, f"{queries:,} queries of each set")


def split(captions: Mapping[str, Sequence[str]]) -> tuple[Texts, Texts]:
    """One caption of each image as a query, and the others as points; images are numbered in their order."""
    chance = np.random.default_rng(0)
    queries, points = Texts([], []), Texts([], [])
    for number, its in enumerate(captions.values()):
        chosen = int(chance.integers(len(its)))
        queries.texts.append(its[chosen])
        queries.subjects.append(number)
        others = [*its[:chosen], *its[chosen + 1 :]]
        points.texts.extend(others)
        points.subjects.extend([number] * len(others))
    return queries, points


def by_words(sentences: Sequence[str]) -> tuple[Texts, Texts]:
    """Three words of each sentence that has them as a query, in their order, and all sentences as points."""
    chance = np.random.default_rng(0)
    queries = Texts([], [])
    for number, sentence in enumerate(sentences):
        words = [word for word in re.findall(r"\w+", sentence) if len(word) >= SHORTEST_WORD]
        if len(words) >= 3:
            chosen = np.sort(chance.permutation(len(words))[:3])
            queries.texts.append(" ".join(words[at] for at in chosen))
            queries.subjects.append(number)
    return queries, Texts(list(sentences), list(range(len(sentences))))


def _outcome(queries: Texts, points: Texts, count: int) -> Outcome:
    drawn = np.random.default_rng(1).permutation(len(queries.texts))[:count].tolist()
    choosing, judging = (_some(queries, rows) for rows in (drawn[::2], drawn[1::2]))
    vectors = embed(points.texts, PRECISION)
    with TemporaryDirectory() as folder, opened(Path(folder), vectors.shape[1]) as collections:
        collection = create(collections)
        fill(collection, vectors, points.texts)
        settle(collection)
        swept = _sweep(collection, points, choosing)
        found = {mode: _found(collection, judging, mode, HITS) for mode in MODES}
    by_mode = {mode: judged(its, judging, points) for mode, its in found.items()}
    return Outcome(len(points.texts), swept, by_mode)


def _some(texts: Texts, rows: Sequence[int]) -> Texts:
    return Texts([texts.texts[row] for row in rows], [texts.subjects[row] for row in rows])


def _found(collection: StoredCollection, queries: Texts, mode: Mode, limit: int) -> list[Ranked]:
    """The hits of each query, as the service searches."""
    vectors = embed(queries.texts, PRECISION)
    found: list[Ranked] = []
    for start in range(0, len(vectors), BATCH):
        words = tuple(queries.texts[start : start + BATCH])
        search = Search(vectors[start : start + BATCH], words, mode, limit, with_text=False, with_metadata=False)
        found += [[(int(hit.id), hit.score) for hit in hits] for hits in collection.search(search)]
    return found


def _sweep(collection: StoredCollection, points: Texts, queries: Texts) -> dict[tuple[int, float], Scores]:
    """The lists that are joined are searched for once."""
    dense, lexical = (_found(collection, queries, mode, DEPTH) for mode in MODES[:2])
    swept = {}
    for k, weight in [(K, 0.0), *product(KS, WEIGHTS)]:
        joined = [reciprocal_rank_fusion(*pair, weight, k) for pair in zip(dense, lexical, strict=True)]
        ranked = [[(one.row, one.score) for one in hits] for hits in joined]
        swept[k, weight] = judged(ranked, queries, points)
    return swept


def judged(found: Sequence[Ranked], queries: Texts, points: Texts) -> Scores:
    """How often, and how high up, a caption of the right image is among the best."""
    ranks = [
        next((rank for rank, (hit, _) in enumerate(hits[:HITS], 1) if points.subjects[hit] == subject), 0)
        for hits, subject in zip(found, queries.subjects, strict=True)
    ]
    return Scores(
        100 * float(np.mean([rank == 1 for rank in ranks])),
        100 * float(np.mean([rank > 0 for rank in ranks])),
        100 * float(np.mean([1 / rank if rank else 0.0 for rank in ranks])),
    )


def report(outcomes: Mapping[str, Outcome], what: str) -> Report:
    """What each mode finds on the one half, and each fusion on the other."""
    header = ("set", "search", "recall@1", "recall@10", "MRR@10")
    modes = tuple((name, mode, *_cells(found)) for name, one in outcomes.items() for mode, found in one.by_mode.items())
    swept = tuple(
        (name, "vectors alone" if weight == 0 else f"K {k}, weight {weight:g}", *_cells(found))
        for name, one in outcomes.items()
        for (k, weight), found in one.swept.items()
    )
    points = ", ".join(f"{name} {one.points:,}" for name, one in outcomes.items())
    return Report(
        (Table(f"Right ones found: {what}", header, modes), Table("Fusions, on the other half", header, swept)),
        figures(outcomes),
        {"points": points, "in the service": f"K {K}, weight {LEXICAL_WEIGHT:g}"},
    )


def _cells(found: Scores) -> tuple[str, ...]:
    return f"{found.recall_1:.1f}", f"{found.recall_10:.1f}", f"{found.mrr_10:.1f}"


def figures(outcomes: Mapping[str, Outcome]) -> dict[str, Any]:
    """All of it, as JSON takes it."""
    return {
        name: {
            "points": one.points,
            "modes": {mode: asdict(found) for mode, found in one.by_mode.items()},
            "fusions": [{"k": k, "weight": weight, **asdict(found)} for (k, weight), found in one.swept.items()],
        }
        for name, one in outcomes.items()
    }
