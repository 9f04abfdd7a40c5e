"""The masked-language-model loss that SimCSE offers beside its own (appendix, "MLM auxiliary objective")."""

from collections.abc import Mapping, Sequence
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, gelu

from models.encoder import TextEncoder, collate
from models.heads import BERT_INIT_STD
from models.text import TextTokenizer
from training.objective.encode import Rows, word_embeddings

_MASKED, _KEPT = 0.8, 0.9  # BERT: of the chosen tokens 80 % become the mask, 10 % another token, 10 % stay


class MLMHead(nn.Module):
    """From token states to scores over the vocabulary; the decoder is the encoder's own word embeddings."""

    def __init__(self, width: int, vocabulary: int) -> None:
        super().__init__()
        self.dense = nn.Linear(width, width)
        self.norm = nn.LayerNorm(width)
        self.bias = nn.Parameter(torch.zeros(vocabulary))
        nn.init.normal_(self.dense.weight, std=BERT_INIT_STD)
        nn.init.zeros_(self.dense.bias)

    def forward(self, states: Tensor, embeddings: Tensor) -> Tensor:
        """(masked, width) states and (vocabulary, width) embeddings to (masked, vocabulary) scores."""
        transformed = self.norm(gelu(self.dense(states)))
        return cast(Tensor, transformed @ embeddings.T + self.bias)

    @classmethod
    def of_weights(cls, tensors: Mapping[str, Tensor]) -> "MLMHead":
        """A base model's own head, where its checkpoint still holds one (see `models.weights.read_mlm_head`)."""
        head = cls(tensors["dense.weight"].shape[0], tensors["bias"].shape[0])
        head.load_state_dict(dict(tensors))
        return head


def mask_tokens(
    rows: Rows, tokenizer: TextTokenizer, probability: float, seed: int
) -> tuple[list[NDArray[np.integer]], list[NDArray[np.bool_]]]:
    """Hide some tokens of each sentence, never its first or last, which are special.

    Returns:
        The rows as the encoder shall see them, and where it is asked what stood there.

    Raises:
        ValueError: the tokenizer has no mask token.
    """
    if tokenizer.mask_id is None:
        raise ValueError("the tokenizer has no mask token")
    random = np.random.default_rng(seed)
    hidden, asked = [], []
    for row in rows:
        chosen = random.random(len(row)) < probability
        chosen[[0, -1]] = False
        fate = random.random(len(row))
        seen = np.where(chosen & (fate < _MASKED), tokenizer.mask_id, row)
        other = random.integers(0, tokenizer.vocabulary_size, len(row))
        hidden.append(np.where(chosen & (fate >= _MASKED) & (fate < _KEPT), other, seen))
        asked.append(chosen)
    return hidden, asked


def mlm_loss_sum(
    encoder: TextEncoder, head: MLMHead, rows: Rows, hidden: Rows, asked: Sequence[NDArray[np.bool_]], pad_id: int
) -> tuple[Tensor, int]:
    """Summed cross entropy over the hidden tokens, and how many there are.

    Args:
        encoder: its backbone is run over `hidden`, padded to the longest.
        head: scores the vocabulary.
        rows: the true tokens of each sentence.
        hidden: what the encoder sees instead.
        asked: for each sentence which tokens count.
        pad_id: fills up.
    """
    backbone = encoder.backbone
    batch = collate(hidden, pad_id).to(backbone.device)
    places = collate(asked, 0).ids.bool().to(backbone.device)  # (batch, tokens)
    truth = collate(rows, pad_id).ids.to(backbone.device)[places]  # (hidden,)
    states = backbone(input_ids=batch.ids, attention_mask=batch.mask).last_hidden_state[places]  # (hidden, width)
    scores = head(states, word_embeddings(backbone))  # (hidden, vocabulary)
    return cross_entropy(scores.float(), truth, reduction="sum"), len(truth)
