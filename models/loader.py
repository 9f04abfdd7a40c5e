"""Open any supported checkpoint by path or name."""

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor
from transformers import PreTrainedModel

from models.bundle import build_heads, read_heads
from models.checkpoint import Checkpoint, fingerprint_of
from models.config import EncoderConfig, Pooling, token_limit
from models.encoder import TextEncoder
from models.errors import CheckpointError
from models.inspection import inspect_directory
from models.manifest import read_card
from models.mcse import MCSE
from models.prompts import read_prompts
from models.recognize import Recognized, recognize
from models.resolve import resolve
from models.sbert_reader import read_dense
from models.text import TextTokenizer
from models.weights import read_backbone, read_contrastive


def load(name: str | Path, *, pooling: Pooling | None = None) -> Checkpoint:
    """Open a checkpoint: a bundle, a released MCSE or SimCSE model, a sentence-transformers model, or an encoder.

    Args:
        name: what `models.resolve.resolve` takes.
        pooling: use this pooling instead of what the directory says.

    Raises:
        CheckpointError: it is missing, damaged, of an unknown kind, or lacks the head that the pooling needs; one
            sentence with the file and the cure.
    """
    directory = resolve(name)
    inspect_directory(directory)
    label = directory.name if Path(name).expanduser().is_dir() else str(name).removeprefix("package:")
    known, prompts = recognize(directory, label), read_prompts(directory)
    backbone, head_tensors = _read(directory, known)
    config = EncoderConfig(
        pooling=pooling or known.pooling,
        max_tokens=token_limit(
            backbone.config.model_type, getattr(backbone.config, "max_position_embeddings", None), known.max_tokens
        ),
        dimension=int(backbone.config.hidden_size),
    )
    tokenizer = TextTokenizer.from_directory(directory, max_tokens=config.max_tokens)
    tokenizer.require_known(int(backbone.config.vocab_size))
    model = _model(directory, backbone, config, head_tensors).eval()
    model.requires_grad_(requires_grad=False)
    return Checkpoint(
        name=label,
        path=directory,
        kind=known.kind,
        model=model,
        tokenizer=tokenizer,
        config=config,
        pooling_reason="asked for by the caller" if pooling else known.reason,
        fingerprint=fingerprint_of(model, tokenizer, config),
        prompts=prompts.named,
        default_prompt_name=prompts.default,
        card=read_card(directory) if known.kind == "bundle" else {},
    )


def _read(directory: Path, known: Recognized) -> tuple[PreTrainedModel, dict[str, Tensor]]:
    if known.kind in ("mcse", "simcse"):
        return read_contrastive(directory)
    if known.kind == "bundle":
        return read_backbone(directory), read_heads(directory)
    return read_backbone(directory), read_dense(known.dense) if known.dense is not None else {}


def _model(directory: Path, backbone: PreTrainedModel, config: EncoderConfig, heads: Mapping[str, Tensor]) -> MCSE:
    """Put the heads where they belong: the MLP into the encoder where the pooling goes through it."""
    mlp, grounding, image = build_heads(heads)
    if mlp is not None and mlp.dense.in_features != config.dimension:
        raise CheckpointError(
            f"{directory}: its MLP head is {mlp.dense.in_features} wide and its encoder {config.dimension}. "
            "They do not belong together; fetch or export the model again."
        )
    if config.pooling != "cls_mlp":
        return MCSE(TextEncoder(backbone, config), mlp=mlp, grounding=grounding, image=image)
    if mlp is None:
        raise CheckpointError(
            f"{directory}: cls_mlp pooling goes through a trained MLP head, and this checkpoint has none. "
            "Use cls pooling, or train a head with `mcse train`."
        )
    return MCSE(TextEncoder(backbone, config, head=mlp), grounding=grounding, image=image)
