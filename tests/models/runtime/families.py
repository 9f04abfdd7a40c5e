"""A small random checkpoint of every family that fast paths compute, with any pooling."""

import dataclasses
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from transformers import AutoConfig, AutoModel, PreTrainedModel

from models import Checkpoint, load
from models.config import EncoderConfig, Pooling
from models.encoder import TextEncoder
from models.heads import GroundingProjection, MLPHead
from models.mcse import MCSE
from models.runtime import Vectors
from tests.conftest import PROJECTION, WIDTH, vocabulary

MAX_TOKENS = 90
FAMILIES: Mapping[str, Mapping[str, object]] = {
    "bert": {},
    "camembert": {},
    "distilbert": {"dim": WIDTH, "hidden_dim": 64, "n_layers": 3, "n_heads": 2},
    "modernbert": {"local_attention": 8, "global_attn_every_n_layers": 3, "num_hidden_layers": 4},
    "modernbert, a window last": {"local_attention": 8, "global_attn_every_n_layers": 2, "num_hidden_layers": 4},
    "mpnet": {},
    "roberta": {},
    "xlm-roberta": {},
}


@lru_cache
def random_backbone(family: str) -> PreTrainedModel:
    """Norms and biases differ from place to place: fresh ones are all equal, which hides a mix-up."""
    torch.manual_seed(5)
    model: PreTrainedModel = AutoModel.from_config(config(family, **FAMILIES[family])).eval()
    for name, weight in model.named_parameters():
        if weight.dim() == 1:
            torch.nn.init.normal_(weight, mean=float("norm" in name.lower() and name.endswith("weight")), std=0.2)
    return model.requires_grad_(requires_grad=False)


def config(family: str, **changed: object) -> object:
    """Three layers, two heads."""
    special = {"pad_token_id": 0, "bos_token_id": 2, "eos_token_id": 3, "cls_token_id": 2, "sep_token_id": 3}
    sizes = {
        "vocab_size": len(vocabulary()),
        "hidden_size": WIDTH,
        "num_hidden_layers": 3,
        "num_attention_heads": 2,
        "intermediate_size": 64,
        "max_position_embeddings": MAX_TOKENS + 2,
    }
    return AutoConfig.for_model(family.split(",")[0], **{**special, **sizes, **changed})


def random_checkpoint(plain: Path, family: str, pooling: Pooling) -> Checkpoint:
    """Everything but the model is that of the checkpoint in `plain`."""
    torch.manual_seed(6)
    config = EncoderConfig(pooling=pooling, max_tokens=MAX_TOKENS, dimension=WIDTH)
    head = None
    if pooling == "cls_mlp":
        head = MLPHead(WIDTH)
        torch.nn.init.normal_(head.dense.weight, std=0.3)
    encoder = TextEncoder(random_backbone(family), config, head)
    model = MCSE(encoder, grounding=GroundingProjection(WIDTH, PROJECTION)).eval().requires_grad_(requires_grad=False)
    return dataclasses.replace(load(plain), model=model, config=config)


def sentences(count: int, longest: int = MAX_TOKENS, seed: int = 0) -> list[list[int]]:
    """Token ids of words, 1 to `longest` of them a sentence."""
    random = np.random.default_rng(seed)
    return [random.integers(5, len(vocabulary()), random.integers(1, longest + 1)).tolist() for _ in range(count)]


def cosines(ours: Vectors, theirs: Vectors) -> Vectors:
    """(n,) row by row."""
    dots = (ours * theirs).sum(axis=1, dtype=np.float64)
    cosine: Vectors = dots / np.linalg.norm(ours, axis=1) / np.linalg.norm(theirs, axis=1)
    return cosine
