"""The packed path: no padding, weights prepared once, and of the last layer only what the pooling reads."""

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from models.checkpoint import Checkpoint
from models.config import AVERAGED_LAYERS, Pooling
from models.runtime.architecture import describe
from models.runtime.base import Precision, Vectors, check_batch
from models.runtime.grounding import grounded
from models.runtime.packed_network import prepare
from models.runtime.packing import Pack, by_length, packs

_OF_FIRST_TOKEN: tuple[Pooling, ...] = ("cls", "cls_mlp")

_DTYPES: Mapping[Precision, torch.dtype] = {"float32": torch.float32, "bfloat16": torch.bfloat16}

# On a processor 512 to 4096 differ by less than 4 %; a GPU wants much to do at once.
_PACK_TOKENS = {"cpu": 2048, "cuda": 32768}


class PackedRuntime:
    """Runs a checkpoint's weights on the tokens alone, on a processor or a GPU.

    Sums are kept and normalised in float32; the precision is that of the matrix products and of attention.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        *,
        precision: Literal["float32", "bfloat16"] = "float32",
        device: torch.device | str = "cpu",
        threads: int | None = None,
        reason: str = "it was asked for by name",
    ) -> None:
        """Prepare the weights.

        Raises:
            UnsupportedArchitecture: no fast path computes this backbone; `ReferenceRuntime` does.
        """
        self._device = torch.device(device)
        self.name = f"{'packed' if self._device.type == 'cpu' else self._device.type}-{precision}"
        self.precision: Precision = precision
        self.reason = reason
        self._model = checkpoint.model
        self.dimension = checkpoint.dimension
        self.grounded_dimension = checkpoint.grounded_dimension
        if threads is not None:
            torch.set_num_threads(threads)
        self.threads = torch.get_num_threads()
        architecture = describe(checkpoint.model.encoder.backbone)
        self._pooling = checkpoint.pooling
        self._read = _read(checkpoint.pooling, len(architecture.layers))
        self._network = prepare(
            architecture,
            _DTYPES[precision],
            self._device,
            longest=checkpoint.max_tokens,
            first_only=checkpoint.pooling in _OF_FIRST_TOKEN,
        )

    @torch.inference_mode()
    def encode(self, batch: Sequence[Sequence[int]]) -> Vectors:
        """See `Runtime.encode`."""
        check_batch(batch)
        order = by_length(batch)
        limit = _PACK_TOKENS[self._device.type]
        pooled = torch.cat([self._pooled(pack.to(self._device)) for pack in packs(batch, order, limit)]).cpu()
        head = self._model.encoder.head
        vectors = np.empty((len(batch), self.dimension), dtype=np.float32)
        vectors[order] = (pooled if head is None else head(pooled)).numpy()
        return vectors

    @torch.inference_mode()
    def states(self, batch: Sequence[Sequence[int]]) -> list[Vectors]:
        """See `Runtime.states`."""
        check_batch(batch)
        order = by_length(batch)
        limit = _PACK_TOKENS[self._device.type]
        in_order = [each for pack in packs(batch, order, limit) for each in self._states(pack.to(self._device))]
        return [in_order[place] for place in np.argsort(order)]

    def _states(self, pack: Pack) -> list[Vectors]:
        """(tokens, hidden) of each sentence, in the pack's order."""
        *_, last = self._network.states(pack, whole=True)
        return np.split(last.cpu().numpy(), pack.starts[1:-1].cpu().numpy())

    def _pooled(self, pack: Pack) -> Tensor:
        """(sentences, hidden) float32 in the pack's order, before any head."""
        kept = [states for number, states in enumerate(self._network.states(pack)) if number in self._read]
        states = kept[0] if len(kept) == 1 else (kept[0] + kept[1]) / 2
        if self._pooling not in _OF_FIRST_TOKEN:
            return torch.segment_reduce(states, "mean", lengths=pack.starts.diff(), axis=0)
        return states if self._network.first_only else states[pack.firsts]

    def ground(self, sentences: Vectors) -> Vectors:
        """See `Runtime.ground`.

        Raises:
            ValueError: the checkpoint has no grounding head.
        """
        return grounded(self._model.grounding, sentences)


def _read(pooling: Pooling, layers: int) -> set[int]:
    """The states that a pooling reads, by number: 0 is the embeddings, 1 the first layer."""
    return {number % (layers + 1) for number in AVERAGED_LAYERS.get(pooling, (-1,))}
