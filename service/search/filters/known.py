"""What was found out about conditions, kept within a bound of memory."""

import threading
from collections import OrderedDict
from dataclasses import dataclass
from hashlib import blake2b

from service.search.filters.combine import cut
from service.search.filters.model import HasId, Leaf
from service.search.view import Bits, Places, View, bits_of, none

OVERHEAD_BYTES = 512  # of a kept set, beside its bits


def key_of(condition: Leaf | HasId) -> bytes:
    """Tells conditions apart, also where Python finds them equal: `a = true` is not `a = 1`."""
    return blake2b(repr(condition).encode(), digest_size=32).digest()


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """The set of one condition: `bits` is right about every place below `upto`, where it is `certain`.

    It is uncertain as long as the store that it was read from may have been ahead of the view that it was read for.
    """

    upto: int
    bits: Bits
    certain: bool = False

    @classmethod
    def of(cls, bits: Bits, upto: int) -> "Known":
        """As just read."""
        bits.flags.writeable = False  # several threads will have it
        return cls(upto, bits)

    def without_end(self, count: int) -> Bits:
        """The places below `count`, which must be known."""
        return self.bits if self.upto == count else cut(self.bits, count)

    def grown(self, places: Places, count: int) -> "Known":
        """With these places more, as just read, of `count` that are known now."""
        bits = bits_of(places, count)
        bits[: len(self.bits)] |= self.bits
        return Known.of(bits, count)

    def holds_for(self, view: View) -> bool:
        """Whether it is certain for a view: a view of fewer places is older than what was read."""
        return self.certain and self.upto <= view.count


NOTHING = Known.of(none(0), 0)


class KnownSets:
    """Sets by condition, of the newest generation of places. Any thread may call; `_lock` guards everything."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._lock = threading.Lock()
        self._generation = -1
        self._bytes = 0
        self._by_key: OrderedDict[bytes, Known] = OrderedDict()

    def get(self, generation: int, key: bytes) -> Known | None:
        """What is known, if something is."""
        with self._lock:
            known = self._by_key.get(key) if generation == self._generation else None
            if known:
                self._by_key.move_to_end(key)
        return known

    def keep(self, generation: int, key: bytes, known: Known) -> None:
        """Remember `known`, unless as much is known; for room, what was not asked for longest is forgotten."""
        with self._lock:
            if generation > self._generation:
                self._by_key.clear()
                self._generation, self._bytes = generation, 0
            old = self._by_key.get(key)
            if generation < self._generation or (old and (old.upto, old.certain) >= (known.upto, known.certain)):
                return
            self._bytes += _size(known) - (_size(old) if old else 0)
            self._by_key[key] = known
            self._by_key.move_to_end(key)
            while self._bytes > self._most_bytes:
                _, forgotten = self._by_key.popitem(last=False)
                self._bytes -= _size(forgotten)


def _size(known: Known) -> int:
    return known.bits.nbytes + OVERHEAD_BYTES
