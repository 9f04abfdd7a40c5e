"""TextEncoder: token ids to one vector per sentence."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from models.config import EncoderConfig, Pooling


@dataclass(frozen=True, slots=True)
class TokenBatch:
    """Token ids padded to the longest of the batch."""

    ids: Tensor
    """(batch, tokens) int64"""
    mask: Tensor
    """(batch, tokens) int64; 1 for a token, 0 for padding"""

    def to(self, device: torch.device) -> "TokenBatch":
        """The same batch on another device."""
        return TokenBatch(self.ids.to(device), self.mask.to(device))


def collate(sequences: Sequence[Sequence[int]], pad_id: int) -> TokenBatch:
    """Pad id lists to the longest among them."""
    longest = max(len(sequence) for sequence in sequences)
    ids = torch.full((len(sequences), longest), pad_id, dtype=torch.long)
    mask = torch.zeros_like(ids)
    for row, sequence in enumerate(sequences):
        ids[row, : len(sequence)] = torch.tensor(sequence, dtype=torch.long)
        mask[row, : len(sequence)] = 1
    return TokenBatch(ids, mask)


def pool(states: Tensor, mask: Tensor, pooling: Pooling) -> Tensor:
    """Read one vector per sentence out of the last layer.

    Args:
        states: (batch, tokens, hidden) last hidden states.
        mask: (batch, tokens) 1 for a token, 0 for padding.
        pooling: `cls` is the raw first token, which MCSE and SimCSE evaluate ("cls_before_pooler").

    Returns:
        (batch, hidden), in the dtype of `states`.
    """
    if pooling == "cls":
        return states[:, 0]
    weights = mask.unsqueeze(-1).to(states.dtype)
    return (states * weights).sum(dim=1) / weights.sum(dim=1)


class TextEncoder(nn.Module):
    """Any Hugging Face encoder with its pooling; no head is applied here."""

    def __init__(self, backbone: PreTrainedModel, config: EncoderConfig) -> None:
        super().__init__()
        self.backbone = backbone
        self.config = config

    def forward(self, batch: TokenBatch) -> Tensor:
        """(batch, dimension) sentence vectors, not normalised."""
        # Token types are left to the backbone: single sentences are all type 0.
        states: Tensor = self.backbone(
            input_ids=batch.ids, attention_mask=batch.mask
        ).last_hidden_state  # (batch, tokens, hidden)
        return pool(states, batch.mask, self.config.pooling)
