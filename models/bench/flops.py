"""How many floating-point operations a sentence needs, counted from the architecture.

A multiplication and its addition are two operations, as in the machine's peak. Linear layers and the two products of
attention are counted, and of them what the pooling asks for: with `cls`, the last layer's keys and values of every
token, but the rest of one row. Norms, activations and look-ups are not: next to the products they are few.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from torch import nn
from transformers import PreTrainedModel

from models.checkpoint import Checkpoint
from models.config import Pooling

_EVERYWHERE = 1 << 30
_AFTER_POOLING = "pooler"  # of BERT and its kin: never run for these poolings


@dataclass(frozen=True, slots=True)
class Cost:
    """The operations of one architecture."""

    layers: int
    hidden: int
    linear: float
    """Weights of one layer's linear maps: an operation pair per weight and token."""
    embedding: float
    """Weights of linear maps outside the layers that every token goes through."""
    head: int
    """Weights that one row per sentence goes through."""
    one_row: bool
    """The last layer is needed for the first token alone."""
    reaches: tuple[int, ...]
    """Of each layer: how many tokens to each side a token attends to."""

    @classmethod
    def of(cls, checkpoint: Checkpoint) -> "Cost":
        """Count the linear layers of a checkpoint's encoder."""
        encoder = checkpoint.model.encoder
        return cls.of_backbone(encoder.backbone, encoder.head, checkpoint.pooling)

    @classmethod
    def of_backbone(cls, backbone: PreTrainedModel, head: nn.Module | None, pooling: Pooling) -> "Cost":
        """Count the linear layers of a backbone and of the head after it."""
        config = backbone.config
        layers = int(config.num_hidden_layers)
        inside, outside = _linear_weights(backbone)
        stored = int(getattr(config, "num_hidden_groups", layers))  # ALBERT runs its layers several times
        return cls(
            layers=layers,
            hidden=int(config.hidden_size),
            linear=inside / stored,
            embedding=outside,
            head=0 if head is None else sum(_linear_weights(head)),
            one_row=pooling in ("cls", "cls_mlp"),
            reaches=_reaches(config, layers),
        )

    def sentence(self, tokens: int) -> float:
        """Operations of one sentence of so many tokens."""
        rows = tokens * self.linear * self.layers + tokens * self.embedding + self.head
        pairs = sum(attended(tokens, reach) for reach in self.reaches)
        if self.one_row:
            spared = self.linear - 2 * self.hidden**2  # keys and values of all tokens are needed
            rows -= (tokens - 1) * spared
            pairs -= attended(tokens, self.reaches[-1]) - min(tokens, self.reaches[-1] + 1)
        return 2 * rows + 4 * self.hidden * pairs

    def batch(self, lengths: Iterable[int]) -> float:
        """Operations of sentences of these lengths; padding is no work."""
        return sum(self.sentence(tokens) for tokens in lengths)


def attended(tokens: int, reach: int) -> int:
    """Pairs of query and key in a sentence where each token sees `reach` tokens to each side, and itself."""
    if reach >= tokens - 1:
        return tokens * tokens
    return tokens * (2 * reach + 1) - reach * (reach + 1)


def _linear_weights(module: nn.Module) -> tuple[int, int]:
    """Weights of linear maps inside numbered layers, and of those outside."""
    inside = outside = 0
    for name, part in module.named_modules():
        if isinstance(part, nn.Linear) and not name.startswith(_AFTER_POOLING):
            numbered = any(step.isdecimal() for step in name.split("."))
            inside += part.weight.numel() if numbered else 0
            outside += 0 if numbered else part.weight.numel()
    return inside, outside


def _reaches(config: object, layers: int) -> tuple[int, ...]:
    kinds = getattr(config, "layer_types", None) or ["full_attention"] * layers
    window = int(getattr(config, "local_attention", 0) or 0) // 2
    return tuple(window if kind == "sliding_attention" and window else _EVERYWHERE for kind in kinds)
