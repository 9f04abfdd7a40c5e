"""Padded batches of 32, sorted by length, around any network: what most people write by hand."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

BATCH = 32

Ids = NDArray[np.int64]
Network = Callable[[Ids, Ids], NDArray[np.float32]]
"""ids and mask, (batch, tokens), to the states of the last layer (batch, tokens, hidden), or pooled (batch, hidden)"""


class Padded:
    """Encodes with a network that takes padded ids.

    Args:
        model: a sentence-transformers directory, with `cls` or `mean` pooling.
        network: the network.
    """

    def __init__(self, model: Path, network: Network) -> None:
        limit = json.loads((model / "sentence_bert_config.json").read_text(encoding="utf-8"))["max_seq_length"]
        self._tokenizer = Tokenizer.from_file(str(model / "tokenizer.json"))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(limit)
        self._network = network
        self._cls = pools_cls(model)

    def __call__(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """(n, hidden) in the order of the texts."""
        ids = [encoding.ids for encoding in self._tokenizer.encode_batch(list(texts))]
        order = sorted(range(len(ids)), key=lambda row: len(ids[row]))
        rows = [order[at : at + BATCH] for at in range(0, len(order), BATCH)]
        found = np.concatenate([self._batch([ids[row] for row in some]) for some in rows])
        vectors = np.empty_like(found)
        vectors[order] = found
        return vectors

    def _batch(self, ids: list[list[int]]) -> NDArray[np.float32]:
        padded = np.zeros((len(ids), max(map(len, ids))), dtype=np.int64)
        mask = np.zeros_like(padded)
        for row, one in enumerate(ids):
            padded[row, : len(one)] = one
            mask[row, : len(one)] = 1
        states = self._network(padded, mask)
        if states.ndim == 2:
            return states
        return states[:, 0] if self._cls else _mean(states, mask)


def pools_cls(model: Path) -> bool:
    """Whether the first token is the sentence; otherwise the mean of all tokens is."""
    return bool(json.loads((model / "1_Pooling" / "config.json").read_text(encoding="utf-8"))["pooling_mode_cls_token"])


def _mean(states: NDArray[np.float32], mask: Ids) -> NDArray[np.float32]:
    weights = mask[:, :, None].astype(np.float32)
    found: NDArray[np.float32] = (states * weights).sum(axis=1) / weights.sum(axis=1)
    return found
