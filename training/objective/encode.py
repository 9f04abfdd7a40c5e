"""Sentences through the model in groups of one length, all at once or with cached gradients."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import embedding
from transformers import PreTrainedModel

from models.encoder import collate
from models.mcse import MCSE, MCSEOutput

_CPU_GROUP = 32  # rows; smaller groups pad less, larger ones multiply larger matrices. A GPU takes all rows at once

Rows = Sequence[NDArray[np.integer]]


def derived_seed(*parts: int) -> int:
    """A seed of its own for each tuple of numbers."""
    return int(np.random.SeedSequence(parts).generate_state(1, np.uint64)[0] >> 1)


@dataclass(frozen=True, slots=True)
class GroupedEncoder:
    """Runs the model over many rows with little padding.

    Dropout follows from the batch's seed and the group's number alone. So a run goes on anywhere as if it had never
    stopped, arms of an ablation see the same masks, and a group can be run twice with the same result.
    """

    model: MCSE
    pad_id: int
    bfloat16: bool
    """Compute matrix products in bf16."""
    chunk_size: int | None
    """Rows of a group with cached gradients; None keeps every group's activations until the backward pass."""

    def encode(self, rows: Rows, seed: int) -> MCSEOutput:
        """Encode rows, in their order; float32.

        With cached gradients no activations are kept and the result has no history: `backward` makes it up.
        """
        plan, cached = self._plan(rows), self.chunk_size is not None
        # One autocast for all groups, so that each weight is cast once.
        with torch.set_grad_enabled(not cached), self._autocast():
            lookup = None if cached else SharedLookup.of(rows, self.model.encoder.backbone, self.pad_id)
            outputs = [self._forward([rows[row] for row in group], seed, n, lookup) for n, group in enumerate(plan)]
            order = torch.cat([torch.tensor(group) for group in plan])
            gathered = _joined(outputs, order.argsort().to(outputs[0].sentence.device))
        return _without_history(gathered) if cached else gathered

    def backward(self, rows: Rows, seed: int, cached: MCSEOutput) -> None:
        """Second pass of cached gradients (GradCache, Gao et al. 2021): the loss's gradients go on into the weights.

        Args:
            rows: as in `encode`.
            seed: as in `encode`, so that the same dropout is drawn.
            cached: what `encode` gave, after the backward pass of the loss.
        """
        for number, group in enumerate(self._plan(rows)):
            with self._autocast():
                output = self._forward([rows[row] for row in group], seed, number, None)
            tensors = zip(_tensors(output), _tensors(cached), strict=True)
            used = [(tensor, leaf.grad[group]) for tensor, leaf in tensors if leaf.grad is not None]
            torch.autograd.backward([tensor.float() for tensor, _ in used], [gradient for _, gradient in used])

    def _forward(self, group: Rows, seed: int, number: int, lookup: "SharedLookup | None") -> MCSEOutput:
        torch.manual_seed(derived_seed(seed, number))
        batch = collate(group, self.pad_id).to(self.model.encoder.backbone.device)
        if lookup is not None:
            batch = dataclasses.replace(batch, embeddings=lookup(batch.ids))
        output: MCSEOutput = self.model(batch)
        return output

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self.model.encoder.backbone.device.type, torch.bfloat16, enabled=self.bfloat16)

    def _plan(self, rows: Rows) -> list[list[int]]:
        """Row numbers of each group, short sentences first."""
        order = sorted(range(len(rows)), key=lambda row: len(rows[row]))
        on_cpu = self.model.encoder.backbone.device.type == "cpu"
        size = self.chunk_size or (_CPU_GROUP if on_cpu else len(order))
        return [order[start : start + size] for start in range(0, len(order), size)]


@dataclass(frozen=True, slots=True)
class SharedLookup:
    """Word embeddings of all groups and both views, looked up once.

    The gradient of a lookup is as large as the vocabulary: one is made for the batch instead of one for each group.
    """

    table: Tensor
    """(distinct tokens, width)"""
    slots: Tensor
    """(vocabulary,) row of each token id in `table`"""

    @classmethod
    def of(cls, rows: Rows, backbone: PreTrainedModel, pad_id: int) -> "SharedLookup":
        """Look up what the rows, and the padding between them, need."""
        embeddings = backbone.get_input_embeddings()
        distinct = torch.from_numpy(np.unique(np.append(np.concatenate(rows).astype(np.int64), pad_id)))
        slots = torch.zeros(len(word_embeddings(backbone)), dtype=torch.long)
        slots[distinct] = torch.arange(len(distinct))
        device = backbone.device
        return cls(embeddings(distinct.to(device)), slots.to(device))

    def __call__(self, ids: Tensor) -> Tensor:
        """(batch, tokens) ids to (batch, tokens, width)."""
        return embedding(self.slots[ids], self.table)


def word_embeddings(backbone: PreTrainedModel) -> Tensor:
    """(vocabulary, width) what the backbone looks its tokens up in."""
    return cast(Tensor, backbone.get_input_embeddings().weight)


def _joined(outputs: Sequence[MCSEOutput], back: Tensor) -> MCSEOutput:
    def join(parts: Sequence[Tensor]) -> Tensor:
        return torch.cat(list(parts))[back].float()

    grounded = [output.grounded for output in outputs if output.grounded is not None]
    return MCSEOutput(
        sentence=join([output.sentence for output in outputs]),
        projected=join([output.projected for output in outputs]),
        grounded=join(grounded) if grounded else None,
    )


def _without_history(output: MCSEOutput) -> MCSEOutput:
    def leaf(tensor: Tensor) -> Tensor:
        return tensor.detach().requires_grad_()

    grounded = leaf(output.grounded) if output.grounded is not None else None
    return MCSEOutput(leaf(output.sentence), leaf(output.projected), grounded)


def _tensors(output: MCSEOutput) -> list[Tensor]:
    return [tensor for tensor in (output.sentence, output.projected, output.grounded) if tensor is not None]
