"""Explain a checkpoint, and try it: what it is, how it is read out, and whether its vectors make sense."""

from dataclasses import dataclass

import numpy as np

from models.checkpoint import Checkpoint
from models.errors import CheckpointError
from models.runtime.reference import ReferenceRuntime

# Sentences of one meaning in other words, and one of another meaning. Any working English encoder agrees.
_SENTENCE = "A young girl is washing her teddy bear in the kitchen sink."
_SAME = "A little child cleans a stuffed animal in the kitchen."
_OTHER = "The central bank raised interest rates by half a percent."


@dataclass(frozen=True, slots=True)
class Verification:
    """What a trial of a checkpoint found."""

    facts: dict[str, str]
    """What the checkpoint is, in the order to show."""
    same: float
    """Cosine of two sentences of one meaning."""
    other: float
    """Cosine of two sentences of different meaning."""


def verify(checkpoint: Checkpoint) -> Verification:
    """Try an opened checkpoint. Opening it has already checked its files, digests and weights.

    Raises:
        CheckpointError: its vectors are not finite, or do not tell sentences apart.
    """
    runtime = ReferenceRuntime(checkpoint)
    ids = [tokenized.ids for tokenized in checkpoint.tokenizer.encode([_SENTENCE, _SAME, _OTHER])]
    vectors = runtime.encode(ids)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    if not np.isfinite(lengths).all() or not lengths.all():
        raise CheckpointError(f"{checkpoint.path}: its vectors are zero or not finite. The weights are damaged.")
    vectors /= lengths
    same, other = float(vectors[0] @ vectors[1]), float(vectors[0] @ vectors[2])
    if same <= other:
        raise CheckpointError(
            f"{checkpoint.path}: with {checkpoint.pooling} pooling, two sentences of one meaning score {same:.2f} and "
            f"unrelated ones {other:.2f}. The pooling is wrong, or this is no English sentence encoder."
        )
    return Verification(_facts(checkpoint), same, other)


def _facts(checkpoint: Checkpoint) -> dict[str, str]:
    model = checkpoint.model
    heads = {"MLP": model.text_head, "grounding": model.grounding, "image": model.image}
    weights = sum(parameter.numel() for parameter in model.parameters())
    return {
        "path": str(checkpoint.path),
        "kind": checkpoint.kind,
        "pooling": f"{checkpoint.pooling}: {checkpoint.pooling_reason}",
        "encoder": f"{type(model.encoder.backbone).__name__}, {weights / 1e6:.1f} M weights with heads",
        "dimensions": str(checkpoint.dimension),
        "grounded dimensions": str(checkpoint.grounded_dimension or "none: no grounding head"),
        "heads": ", ".join(name for name, head in heads.items() if head is not None) or "none",
        "longest input": f"{checkpoint.max_tokens} tokens",
        "digests": "every file agrees with manifest.json" if checkpoint.kind == "bundle" else "none to check",
        "fingerprint": checkpoint.fingerprint,
    }
