"""Sentences as token ids: a stream of mixed lengths, the same in batches under a token budget, and single lengths."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, cycle, islice

from models.text import TextTokenizer

Ids = list[int]


@dataclass(frozen=True, slots=True)
class Stream:
    """Texts and their token ids, in one order."""

    texts: list[str]
    ids: list[Ids]

    @classmethod
    def of(cls, texts: Sequence[str], count: int, tokenizer: TextTokenizer) -> "Stream":
        """So many of the texts, from the start again where there are fewer.

        Raises:
            TextError: a text has no content.
        """
        taken = list(islice(cycle(texts), count))
        return cls(taken, [tokenized.ids for tokenized in tokenizer.encode(taken)])

    @property
    def lengths(self) -> list[int]:
        """Tokens of each."""
        return [len(ids) for ids in self.ids]

    def batches(self, budget: int) -> Iterator[list[Ids]]:
        """Sorted by length, each batch as many as `budget` tokens allow and at least one."""
        batch: list[Ids] = []
        tokens = 0
        for ids in sorted(self.ids, key=len):
            if batch and tokens + len(ids) > budget:
                yield batch
                batch, tokens = [], 0
            batch.append(ids)
            tokens += len(ids)
        if batch:
            yield batch

    def of_length(self, tokens: int, count: int) -> list[Ids]:
        """Sequences of exactly so many tokens, cut from the stream: real ids, with their first and last token kept."""
        first, last = self.ids[0][:1], self.ids[0][-1:]
        inner = cycle(chain.from_iterable(ids[1:-1] or ids for ids in self.ids))
        room = max(0, tokens - 2)
        return [(first + list(islice(inner, room)) + last)[:tokens] for _ in range(count)]
