"""The approximate kind `ivf`, on FAISS: vectors in lists by their nearest centroid, of which a search looks at some.

Smaller and quicker to build than a graph, and slower to search at the same recall. The centroids are made from the
vectors that are there when the index is built.
"""

import math
from array import array
from typing import Any, BinaryIO, Self

import faiss
import numpy as np

from service.search.indexes.access import Access
from service.search.indexes.base import Found, NotNow, Vectors
from service.search.indexes.threads import search_threads
from service.search.view import Bits, Places, first_places, size_of

FEWEST = 10_000  # vectors from which centroids are made
TRAIN_PER_LIST = 64  # vectors per centroid to find the centroids with
PROBED_SHARE = 0.08  # of the lists: recall@10 of 0.96 on 200,000 sentences
SCAN_AT_MOST = 6_000
MOST_LISTS = 6_500  # as many as the vectors that a rebuild looks at are enough for


class IvfIndex:
    """See VectorIndex. `keep_vectors` keeps float32 in the lists; else a byte a number."""

    kind = "ivf"

    def __init__(self, lists: faiss.IndexIVF, *, keep_vectors: bool) -> None:
        self.exact_scores = keep_vectors
        self._width = int(lists.d)
        self._access = Access()
        self._faiss: Any = lists
        self._errors: array[float] = array("f")
        """Of each place, where bytes are kept: how long the difference to its vector is."""

    @classmethod
    def trained(cls, sample: Vectors, *, count: int, keep_vectors: bool) -> Self:
        """An empty index for about `count` vectors like those of `sample` (n, width), n at least FEWEST."""
        return cls(_train(np.ascontiguousarray(sample), count, keep_vectors), keep_vectors=keep_vectors)

    @property
    def lists(self) -> int:
        """How many lists there are."""
        return int(self._faiss.nlist)

    def __len__(self) -> int:
        return int(self._faiss.ntotal)

    def append(self, vectors: Vectors) -> None:
        vectors = np.ascontiguousarray(vectors, np.float32)
        with self._access.writing():
            search_threads()
            if not self.exact_scores:
                self._errors.frombytes(_errors_of(vectors, self._faiss.sq).tobytes())
            self._faiss.add(vectors)

    def nearest(
        self, queries: Vectors, wanted: int, *, count: int, allowed: Bits | None, breadth: int | None = None
    ) -> Found:
        lists = self.lists
        share = 1.0 if allowed is None else size_of(allowed) / max(1, count)
        probes = lists if share * count <= SCAN_AT_MOST else breadth or math.ceil(lists * PROBED_SHARE / share**0.5)
        return self._search(queries, wanted, count, allowed, min(lists, probes))

    def nearest_exactly(self, queries: Vectors, wanted: int, *, count: int, allowed: Bits | None) -> Found:
        lists = self.lists
        if not self.exact_scores:
            return self._possible(queries, min(wanted, count), count, allowed)
        asked = min(wanted, count) + 1
        while True:  # FAISS keeps any of the places that tie for the last one; ask for more until none does
            places, scores = self._search(queries, asked, count, allowed, lists)
            tied = (scores[:, wanted - 1] == scores[:, -1]) & (places[:, -1] >= 0) if asked > wanted else np.False_
            if not np.any(tied) or asked > count:
                return Found(places[:, :wanted], scores[:, :wanted])
            asked = min(2 * asked, count + 1)

    def vectors_at(self, places: Places) -> Vectors | None:
        if not self.exact_scores:
            return None
        with self._access.reading():
            vectors: Vectors = self._faiss.reconstruct_batch(places)
            return vectors

    def memory_bytes(self) -> int:
        each = self._width * (4 if self.exact_scores else 1) + 16
        return len(self) * each + 4 * len(self._errors) + self.lists * self._width * 4

    def unfinished(self) -> int:
        return 0

    def tend(self, threads: int, count: int) -> None:
        return

    def save(self, file: BinaryIO, count: int) -> None:
        with self._access.reading():
            if len(self) != count:
                raise NotNow
            file.write(len(self._errors).to_bytes(8, "little") + self._errors.tobytes())
            file.write(faiss.serialize_index(self._faiss).tobytes())

    @classmethod
    def load(cls, file: BinaryIO, width: int, *, keep_vectors: bool) -> Self:
        """What `save` wrote, whose digest the caller has checked. Raises RuntimeError, ValueError."""
        errors = file.read(4 * int.from_bytes(file.read(8), "little"))
        lists: Any = faiss.deserialize_index(np.frombuffer(file.read(), np.uint8))
        _require_sound(lists, width, keep_vectors, len(errors) // 4)
        index = cls(lists, keep_vectors=keep_vectors)
        index._errors.frombytes(errors)
        return index

    def _search(self, queries: Vectors, wanted: int, count: int, allowed: Bits | None, probes: int) -> Found:
        bits = allowed if allowed is not None else first_places(count)
        with self._access.reading():
            search_threads()
            parameters = _parameters(bits, probes)
            scores, places = self._faiss.search(np.ascontiguousarray(queries), max(1, wanted), params=parameters)
        order = np.lexsort((np.where(places < 0, np.iinfo(np.int64).max, places), -scores))
        return Found(np.take_along_axis(places, order, 1), np.take_along_axis(scores, order, 1))

    def _possible(self, queries: Vectors, wanted: int, count: int, allowed: Bits | None) -> Found:
        """All places that may be among the best: an estimate is wrong by at most the error times the query's length."""
        best = self._search(queries, wanted, count, allowed, self.lists)
        bits = allowed if allowed is not None else first_places(count)
        each = zip(queries, best.places, best.scores, strict=True)
        found = [self._not_ruled_out(query, places, scores, bits) for query, places, scores in each]
        longest = max((len(places) for places, _ in found), default=0)
        padded = Found(np.full((len(found), longest), -1), np.full((len(found), longest), -np.inf, np.float32))
        for row, (its_places, its_scores) in enumerate(found):
            padded.places[row, : len(its_places)], padded.scores[row, : len(its_places)] = its_places, its_scores
        return padded

    def _not_ruled_out(self, query: Vectors, best: Places, scores: Vectors, bits: Bits) -> tuple[Places, Vectors]:
        """The places and estimates for one query, where `best` have the best estimates."""
        if best[-1] < 0:
            return best[best >= 0], scores[best >= 0]
        with self._access.reading():
            search_threads()
            doubts = np.frombuffer(self._errors, np.float32) * np.linalg.norm(query)
            bar = float((scores - doubts[best]).min())
            above = np.nextafter(np.float32(bar - doubts.max()), np.float32(-np.inf))  # FAISS leaves out what is equal
            parameters = _parameters(bits, self.lists)
            _, near, places = self._faiss.range_search(query[None], float(above), params=parameters)
        good = near + doubts[places] >= bar
        return places[good], near[good]


def _require_sound(lists: Any, width: int, keep_vectors: bool, errors: int) -> None:
    """FAISS reads any index of its own, and looks at nothing when it searches in it. Raises ValueError."""
    kind = faiss.IndexIVFFlat if keep_vectors else faiss.IndexIVFScalarQuantizer
    if type(lists) is not kind or lists.d != width or lists.metric_type != faiss.METRIC_INNER_PRODUCT:
        raise ValueError("it is another kind of index, or of another width")
    inverted: Any = lists.invlists
    if lists.quantizer.d != width or lists.quantizer.ntotal != lists.nlist or lists.nlist != inverted.nlist:
        raise ValueError("its lists do not fit each other")
    if errors != (0 if keep_vectors else lists.ntotal):
        raise ValueError("it has another number of errors than of vectors")
    seen = np.zeros(lists.ntotal, np.bool_)
    for number in range(lists.nlist):
        size = inverted.list_size(number)
        if size:
            places = faiss.rev_swig_ptr(inverted.get_ids(number), size)
            if places.min() < 0 or places.max() >= lists.ntotal:
                raise ValueError("its lists hold places that it does not have")
            seen[places] = True
    if not seen.all():
        raise ValueError("its lists lack places")


def _parameters(bits: Bits, probes: int) -> Any:
    """`bits` must outlive them: FAISS reads them in place."""
    selector = faiss.IDSelectorBitmap(len(bits), faiss.swig_ptr(bits))
    return faiss.IVFSearchParameters(sel=selector, nprobe=probes)  # type: ignore[call-arg]


def _errors_of(vectors: Vectors, quantizer: Any) -> Vectors:
    """How far each vector (n, width) is from what its bytes say, with room for the rounding of a product."""
    kept: Vectors = quantizer.decode(quantizer.compute_codes(vectors))
    errors: Vectors = np.linalg.norm(vectors - kept, axis=1) + 1e-5 * np.linalg.norm(vectors, axis=1)
    return errors


def lists_for(count: int) -> int:
    """How many lists suit so many vectors."""
    return max(16, min(MOST_LISTS, int(4 * math.sqrt(count))))


def _train(sample: Vectors, count: int, keep_vectors: bool) -> Any:
    width = sample.shape[1]
    lists = min(lists_for(count), max(1, len(sample) // 40))  # FAISS warns below 39 vectors per centroid
    coarse: Any = faiss.IndexFlatIP(width)
    shape = coarse, width, lists
    if keep_vectors:
        index: Any = faiss.IndexIVFFlat(*shape, faiss.METRIC_INNER_PRODUCT)
    else:
        byte = faiss.ScalarQuantizer.QT_8bit
        index = faiss.IndexIVFScalarQuantizer(*shape, byte, faiss.METRIC_INNER_PRODUCT, False)
    index.own_fields = True
    coarse.this.disown()  # it is the index's now
    index.make_direct_map()
    search_threads()
    index.train(sample[: lists * TRAIN_PER_LIST])
    return index
