"""TextEncoder: token ids to one vector per sentence."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import PreTrainedModel

from models.config import AVERAGED_LAYERS, EncoderConfig, Pooling
from models.heads import MLPHead


@dataclass(frozen=True, slots=True)
class TokenBatch:
    """Token ids padded to the longest of the batch."""

    ids: Tensor
    """(batch, tokens) int64"""
    mask: Tensor
    """(batch, tokens) int64; 1 for a token, 0 for padding"""
    embeddings: Tensor | None = None
    """(batch, tokens, width) word embeddings of the ids, where they were looked up before"""

    def to(self, device: torch.device) -> "TokenBatch":
        """The same ids on another device."""
        return TokenBatch(self.ids.to(device), self.mask.to(device))


TokenIds = Sequence[int] | NDArray[np.integer | np.bool_]


def collate(sequences: Sequence[TokenIds], pad_id: int) -> TokenBatch:
    """Pad id lists or arrays to the longest among them."""
    longest = max(len(sequence) for sequence in sequences)
    ids = np.full((len(sequences), longest), pad_id, np.int64)
    mask = np.zeros_like(ids)
    for row, sequence in enumerate(sequences):
        ids[row, : len(sequence)] = sequence
        mask[row, : len(sequence)] = 1
    return TokenBatch(torch.from_numpy(ids), torch.from_numpy(mask))


def pool(states: Tensor, mask: Tensor, pooling: Pooling) -> Tensor:
    """Read one vector per sentence out of its token states.

    Args:
        states: (batch, tokens, hidden) states of the last layer, or the mean of two layers.
        mask: (batch, tokens) 1 for a token, 0 for padding.
        pooling: `cls` is the raw first token, which MCSE and SimCSE evaluate ("cls_before_pooler").

    Returns:
        (batch, hidden), in the dtype of `states`.
    """
    if pooling in ("cls", "cls_mlp"):
        return states[:, 0]
    weights = mask.unsqueeze(-1).to(states.dtype)
    return (states * weights).sum(dim=1) / weights.sum(dim=1)


class TextEncoder(nn.Module):
    """Any Hugging Face encoder with its pooling, and with the MLP head where the pooling goes through it."""

    def __init__(self, backbone: PreTrainedModel, config: EncoderConfig, head: MLPHead | None = None) -> None:
        """Put an encoder together.

        Raises:
            ValueError: the pooling is `cls_mlp` without a head, or another one with a head.
        """
        super().__init__()
        if (config.pooling == "cls_mlp") != (head is not None):
            needed = "needs" if head is None else "takes no"
            raise ValueError(f"{config.pooling} pooling {needed} MLP head in the encoder")
        self.backbone = backbone
        self.config = config
        self.head = head

    def forward(self, batch: TokenBatch) -> Tensor:
        """(batch, dimension) sentence vectors, not normalised."""
        vectors = pool(self._token_states(batch), batch.mask, self.config.pooling)
        return vectors if self.head is None else self.head(vectors)

    def _token_states(self, batch: TokenBatch) -> Tensor:
        """(batch, tokens, hidden)"""
        layers = AVERAGED_LAYERS.get(self.config.pooling)
        words = {"input_ids": batch.ids} if batch.embeddings is None else {"inputs_embeds": batch.embeddings}
        # Token types are left to the backbone: single sentences are all type 0.
        output = self.backbone(**words, attention_mask=batch.mask, output_hidden_states=layers is not None)
        if layers is None:
            last: Tensor = output.last_hidden_state
            return last
        one, other = (output.hidden_states[layer] for layer in layers)
        averaged: Tensor = (one + other) / 2
        return averaged
