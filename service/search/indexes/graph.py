"""The approximate kind `hnsw`: a graph of neighbours over vectors of one byte a number, in our own kernel.

Searches take no lock. New vectors are found at once, by a look at each; the graph takes them in beside the searches.
"""

import ctypes
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any, BinaryIO, Self

import numpy as np
from numpy.typing import NDArray

from service.search.graph.library import Ask, State, is_built, library
from service.search.indexes.base import Found, Vectors
from service.search.indexes.graph_check import Parts, require_sound
from service.search.vectors import MOST_WIDTH
from service.search.view import Bits, Places, size_of

DEGREE = 16  # links of a place on the upper levels, and half of those on the ground
BUILD_BREADTH = 128
BREADTH = 128  # places that a search keeps in sight: recall@10 of 0.985 on 200,000 sentences

# Measured on 200,000 sentences of width 384. A look at one place takes 35 ns; a search of the graph as long as 6,000.
SCAN_AT_MOST = 6_000
SCAN_SHARE = 0.03  # below this share of the places the graph leads nowhere
THROUGH_SHARE = 0.3  # below this share it is quicker to step over places that are not allowed
THROUGH_BREADTH = 0.625  # of the breadth then: it finds as many as the whole breadth does without a filter
LINK_AT_ONCE = 256  # places a thread takes into the graph before it looks up

PARTS = ("codes", "measures", "vectors", "ground", "first", "levels", "upper")
BLOCK = 1 << 14  # as in memory.h
MOST_PLACES = BLOCK << 13  # likewise


class GraphIndex:
    """See VectorIndex. `keep_vectors` keeps float32 vectors beside the codes, for exact scores.

    The kernel's readers need no lock; `_tending` lets one thread at a time change the graph.
    """

    kind = "hnsw"

    def __init__(self, width: int, *, keep_vectors: bool) -> None:
        if width > MOST_WIDTH:
            raise ValueError(f"the width is {width}; the graph takes at most {MOST_WIDTH}")
        self.exact_scores = keep_vectors
        self._width = width
        self._kernel = library()
        self._index = ctypes.c_void_p(self._kernel.index_new(width, DEGREE, BUILD_BREADTH, keep_vectors))
        if not self._index:
            raise MemoryError("no memory for an index")
        self._count = 0
        self._tending = threading.Lock()

    def __del__(self) -> None:
        if getattr(self, "_index", None):
            self._kernel.index_free(self._index)

    def __len__(self) -> int:
        return self._count

    def append(self, vectors: Vectors) -> None:
        vectors = np.ascontiguousarray(vectors, np.float32)
        if not self._kernel.index_append(self._index, vectors.ctypes.data, len(vectors)):
            raise MemoryError("no memory for the vectors")
        self._count += len(vectors)

    def nearest(
        self, queries: Vectors, wanted: int, *, count: int, allowed: Bits | None, breadth: int | None = None
    ) -> Found:
        breadth = max(breadth or BREADTH, wanted)
        hops = 1
        if allowed is not None:
            size = size_of(allowed)
            share = size / max(1, count)
            if size <= SCAN_AT_MOST or share < SCAN_SHARE:
                return self.nearest_exactly(queries, wanted, count=count, allowed=allowed)
            hops = 2 if share < THROUGH_SHARE else 1
            breadth = max(wanted, int(breadth * THROUGH_BREADTH if hops == 2 else breadth / share))
        places = np.empty((len(queries), wanted), np.int64)
        scores = np.empty((len(queries), wanted), np.float32)
        queries = np.ascontiguousarray(queries)
        ask = _ask(count, allowed, wanted, breadth, hops)
        data = queries.ctypes.data, len(queries), ctypes.byref(ask), places.ctypes.data, scores.ctypes.data
        if not self._kernel.index_search(self._index, *data):
            raise MemoryError("no memory for a search")
        return Found(places, scores)

    def nearest_exactly(self, queries: Vectors, wanted: int, *, count: int, allowed: Bits | None) -> Found:
        found = [self._scan(query, wanted, count, allowed) for query in np.ascontiguousarray(queries)]
        longest = max((len(one.places) for one in found), default=0)
        places = np.full((len(found), longest), -1, np.int64)
        scores = np.full((len(found), longest), -np.inf, np.float32)
        for row, one in enumerate(found):
            places[row, : len(one.places)], scores[row, : len(one.places)] = one
        return Found(places, scores)

    def _scan(self, query: Vectors, wanted: int, count: int, allowed: Bits | None) -> Found:
        ask = _ask(count, allowed, wanted, wanted, 1)
        room = wanted if self.exact_scores else max(64, 8 * wanted)
        while True:
            places, scores = np.empty(room, np.int64), np.empty(room, np.float32)
            found = self._kernel.index_scan(
                self._index, query.ctypes.data, ctypes.byref(ask), 0, places.ctypes.data, scores.ctypes.data, room
            )
            if found < 0:
                raise MemoryError("no memory for a search")
            if found <= room:
                return Found(places[:found], scores[:found])
            room = found

    def vectors_at(self, places: Places) -> Vectors | None:
        if not self.exact_scores:
            return None
        out = np.empty((len(places), self._width), np.float32)
        blocks = places // BLOCK
        for block in np.unique(blocks):
            inside = blocks == block
            out[inside] = self._block(PARTS.index("vectors"), int(block), np.float32)[places[inside] % BLOCK]
        return out

    def memory_bytes(self) -> int:
        each = self._width + 8 + DEGREE * 2 * 4 + 4 + 2 + (4 * self._width if self.exact_scores else 0)
        return self._count * each + int(self._state().upper_used) * DEGREE * 4

    def unfinished(self) -> int:
        return self._count - int(self._kernel.index_linked(self._index))

    def tend(self, threads: int, count: int) -> None:
        with self._tending:
            linked = int(self._kernel.index_linked(self._index))
            last = min(count, linked + LINK_AT_ONCE * threads)
            following = ctypes.c_int64(linked)

            def link(_: int) -> int:
                return int(self._kernel.index_link(self._index, ctypes.byref(following), last))

            if threads == 1:
                done = [link(0)]
            else:
                with ThreadPoolExecutor(threads) as pool:
                    done = list(pool.map(link, range(threads)))
            if not all(done):
                raise MemoryError("no memory for the graph")
            self._kernel.index_set_linked(self._index, last)

    def save(self, file: BinaryIO, count: int) -> None:
        with self._tending:
            state = self._state()
            state.count = count  # places behind it are written, too, and nobody will look at them
            file.write(bytes(state))
            for part in range(len(PARTS)):
                for block in range(self._blocks(part, state)):
                    file.write(self._block(part, block, np.uint8).data)

    @classmethod
    def load(cls, file: BinaryIO, width: int, *, keep_vectors: bool) -> Self:
        """What `save` wrote, whose digest the caller has checked. Raises MemoryError, EOFError, ValueError."""
        index = cls(width, keep_vectors=keep_vectors)
        state = State.from_buffer_copy(file.read(ctypes.sizeof(State)))
        if not 0 <= max(state.count, state.upper_used) <= MOST_PLACES or min(state.count, state.upper_used) < 0:
            raise ValueError("its numbers of places cannot be")
        if not index._kernel.index_restore(index._index, ctypes.byref(state)):
            raise MemoryError("no memory for an index")
        index._count = state.count
        for part in range(len(PARTS)):
            for block in range(index._blocks(part, state)):
                into = index._block(part, block, np.uint8).data
                if file.readinto(into) != len(into):  # type: ignore[attr-defined]
                    raise EOFError("the file of the index ends too early")
        index._require_sound(state)
        return index

    def _require_sound(self, state: State) -> None:
        """Raise ValueError where the kernel could be led out of its memory."""
        each = {"ground": 2 * DEGREE, "first": 1, "upper": DEGREE}
        parts = {name: self._whole(name, np.uint32, state).reshape(-1, width) for name, width in each.items()}
        levels = self._whole("levels", np.uint8, state)
        require_sound(
            Parts(parts["ground"], parts["first"].reshape(-1), levels, parts["upper"]),
            linked=state.linked,
            upper_used=state.upper_used,
            entry=state.entry,
        )

    def _whole(self, name: str, dtype: type[np.generic], state: State) -> NDArray[Any]:
        part = PARTS.index(name)
        blocks = [self._block(part, block, dtype) for block in range(self._blocks(part, state))]
        return np.concatenate(blocks) if blocks else np.empty(0, dtype)

    def _state(self) -> State:
        state = State()
        self._kernel.index_state(self._index, ctypes.byref(state))
        return state

    def _blocks(self, part: int, state: State) -> int:
        if PARTS[part] == "vectors" and not self.exact_scores:
            return 0
        places = state.upper_used if PARTS[part] == "upper" else state.count
        return -(-int(places) // BLOCK)

    def _block(self, part: int, block: int, dtype: type[np.generic]) -> NDArray[Any]:
        size = ctypes.c_int64()
        at = self._kernel.index_block(self._index, part, block, ctypes.byref(size))
        raw = np.ctypeslib.as_array((ctypes.c_uint8 * size.value).from_address(at))
        array = raw.view(dtype)
        return array.reshape(BLOCK, self._width) if PARTS[part] == "vectors" and dtype is np.float32 else array


def is_available() -> bool:
    """Whether the kernel is built for this machine."""
    return is_built()


def _ask(count: int, allowed: Bits | None, wanted: int, breadth: int, hops: int) -> Ask:
    """`allowed` must outlive the call: the kernel reads it in place."""
    bits = None if allowed is None else allowed.ctypes.data
    return Ask(count, bits, wanted, breadth, hops)
