"""The three heads of MCSE: one for the text loss, and two that meet in the space shared with images.

All are a single linear layer and tanh (MCSE, section 3). Both text heads read the same input, the encoder's raw
sentence vector; the grounding head does not sit on top of the MLP head.
"""

from typing import cast

from torch import Tensor, nn
from torch.nn.functional import normalize

BERT_INIT_STD = 0.02  # BERT's initializer_range; the original's MLP head is initialised with the BERT model


class MLPHead(nn.Module):
    """g_phi of SimCSE, equation 4: for training only, but with `cls_mlp` pooling, which evaluates what comes out."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.dense = nn.Linear(width, width)
        nn.init.normal_(self.dense.weight, std=BERT_INIT_STD)
        nn.init.zeros_(self.dense.bias)

    def forward(self, sentence: Tensor) -> Tensor:
        """(batch, width) to (batch, width)."""
        return cast(Tensor, self.dense(sentence)).tanh()


class GroundingProjection(nn.Module):
    """g_phi1: a sentence into the space shared with images, unit length."""

    def __init__(self, width: int, projection: int) -> None:
        super().__init__()
        self.dense = nn.Linear(width, projection)

    def forward(self, sentence: Tensor) -> Tensor:
        """(batch, width) to (batch, projection)."""
        return normalize(cast(Tensor, self.dense(sentence)).tanh(), dim=-1)


class ImageProjection(nn.Module):
    """g_phi2: features of a frozen image encoder into the shared space, unit length."""

    def __init__(self, features: int, projection: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.dense = nn.Linear(features, projection)

    def forward(self, features: Tensor) -> Tensor:
        """(batch, features) to (batch, projection)."""
        return normalize(cast(Tensor, self.dense(self.dropout(features))).tanh(), dim=-1)
