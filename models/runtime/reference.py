"""The plain path: transformers' own forward pass in float32. Every faster path is tested against it."""

from collections.abc import Sequence

import numpy as np
import torch

from models.checkpoint import Checkpoint
from models.encoder import TextEncoder, TokenIds, collate
from models.runtime.base import Precision, Vectors, check_batch
from models.runtime.grounding import grounded

# Sequences are padded within groups of this many, after sorting by length.
_GROUP = 32


@torch.inference_mode()
def encode_sorted(encoder: TextEncoder, batch: Sequence[TokenIds], pad_id: int) -> Vectors:
    """Sentence vectors of id lists, (n, dimension) float32; sorted by length so that little padding is computed.

    The encoder must be in evaluation mode.
    """
    device = encoder.backbone.device
    vectors = np.empty((len(batch), encoder.config.dimension), dtype=np.float32)
    order = sorted(range(len(batch)), key=lambda row: len(batch[row]))
    for start in range(0, len(order), _GROUP):
        rows = order[start : start + _GROUP]
        padded = collate([batch[row] for row in rows], pad_id).to(device)
        vectors[rows] = encoder(padded).float().cpu().numpy()
    return vectors


@torch.inference_mode()
def states_sorted(encoder: TextEncoder, batch: Sequence[TokenIds], pad_id: int) -> list[Vectors]:
    """(tokens, hidden) float32 states of the last layer for each id list, sorted and padded as `encode_sorted` does."""
    device = encoder.backbone.device
    states: list[Vectors] = [np.empty((0, 0), np.float32)] * len(batch)
    order = sorted(range(len(batch)), key=lambda row: len(batch[row]))
    for start in range(0, len(order), _GROUP):
        rows = order[start : start + _GROUP]
        padded = collate([batch[row] for row in rows], pad_id).to(device)
        last = (
            encoder.backbone(input_ids=padded.ids, attention_mask=padded.mask).last_hidden_state.float().cpu().numpy()
        )
        for row, each in zip(rows, last, strict=True):
            states[row] = each[: len(batch[row])]
    return states


class ReferenceRuntime:
    """Runs a checkpoint's own modules."""

    name = "reference-float32"
    precision: Precision = "float32"

    def __init__(
        self, checkpoint: Checkpoint, *, threads: int | None = None, reason: str = "it was asked for by name"
    ) -> None:
        self.reason = reason
        self._model = checkpoint.model
        self._pad_id = checkpoint.tokenizer.pad_id
        self.dimension = checkpoint.dimension
        self.grounded_dimension = checkpoint.grounded_dimension
        if threads is not None:
            torch.set_num_threads(threads)
        self.threads = torch.get_num_threads()

    def encode(self, batch: Sequence[Sequence[int]]) -> Vectors:
        """See `Runtime.encode`."""
        check_batch(batch)
        return encode_sorted(self._model.encoder, batch, self._pad_id)

    def states(self, batch: Sequence[Sequence[int]]) -> list[Vectors]:
        """See `Runtime.states`."""
        check_batch(batch)
        return states_sorted(self._model.encoder, batch, self._pad_id)

    def ground(self, sentences: Vectors) -> Vectors:
        """See `Runtime.ground`.

        Raises:
            ValueError: the checkpoint has no grounding head.
        """
        return grounded(self._model.grounding, sentences)
