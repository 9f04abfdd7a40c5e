"""A model for each pooling, deep enough that the poolings of two layers differ."""

import dataclasses

import torch
from transformers import BertModel

from models.config import EncoderConfig, Pooling
from models.encoder import TextEncoder
from models.heads import GroundingProjection, MLPHead
from models.mcse import MCSE
from tests.conftest import PROJECTION, WIDTH, tiny_config

LAYERS = 4
MAX_TOKENS = 20


def deep_backbone() -> BertModel:
    config = tiny_config()
    config.num_hidden_layers = LAYERS
    return BertModel(config, add_pooling_layer=False)


def pooled_model(pooling: Pooling) -> MCSE:
    """With an MLP and a grounding head; built as training does."""
    torch.manual_seed(7)
    config = EncoderConfig(pooling="cls", max_tokens=MAX_TOKENS, dimension=WIDTH)
    backbone, mlp = deep_backbone(), MLPHead(WIDTH)
    torch.nn.init.normal_(mlp.dense.weight, std=0.3)
    in_encoder = pooling == "cls_mlp"
    encoder = TextEncoder(backbone, dataclasses.replace(config, pooling=pooling), head=mlp if in_encoder else None)
    grounding = GroundingProjection(WIDTH, PROJECTION)
    return MCSE(encoder, mlp=None if in_encoder else mlp, grounding=grounding).eval()
