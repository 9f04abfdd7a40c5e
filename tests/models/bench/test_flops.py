"""The count against one made by hand, and against what torch counts while a sentence goes through."""

from pathlib import Path

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode
from transformers import AlbertConfig, AlbertModel, ModernBertConfig, ModernBertModel

from models.bench.flops import Cost, attended
from models.config import Pooling
from models.encoder import TextEncoder, collate
from models.loader import load
from tests.conftest import WIDTH, tiny_config

LAYER = 4 * WIDTH * WIDTH + 2 * WIDTH * 64  # weights of a layer of the tiny model


def test_a_sentence_costs_what_the_hand_counts(tiny_bundle: Path) -> None:
    cost = Cost.of(load(tiny_bundle, pooling="mean"))
    assert cost.sentence(10) == 2 * (2 * 10 * LAYER + 2 * 2 * 10 * 10 * WIDTH)


def test_with_cls_the_last_layer_is_counted_for_one_row_and_for_the_keys_and_values_of_all(tiny_bundle: Path) -> None:
    cost = Cost.of(load(tiny_bundle, pooling="cls"))
    whole_layer = 10 * LAYER + 2 * 10 * 10 * WIDTH
    last_layer = 10 * 2 * WIDTH * WIDTH + (LAYER - 2 * WIDTH * WIDTH) + 2 * 10 * WIDTH
    assert cost.sentence(10) == 2 * (whole_layer + last_layer)


def test_the_head_is_counted_once_a_sentence(tiny_bundle: Path) -> None:
    plain, headed = (Cost.of(load(tiny_bundle, pooling=name)) for name in ("cls", "cls_mlp"))
    for tokens in (1, 10):
        assert headed.sentence(tokens) - plain.sentence(tokens) == 2 * WIDTH * WIDTH


@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_one_token_costs_the_same_whatever_the_pooling(tiny_bundle: Path, pooling: Pooling) -> None:
    assert Cost.of(load(tiny_bundle, pooling=pooling)).sentence(1) == 2 * (2 * LAYER + 2 * 2 * WIDTH)


def test_a_batch_is_the_sum_of_its_sentences(tiny_bundle: Path) -> None:
    cost = Cost.of(load(tiny_bundle))
    assert cost.batch([3, 5, 5]) == cost.sentence(3) + 2 * cost.sentence(5)


def test_torch_counts_the_same(tiny_bundle: Path) -> None:
    checkpoint = load(tiny_bundle, pooling="mean")
    encoder: TextEncoder = checkpoint.model.encoder
    encoder.backbone.set_attn_implementation("eager")
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        encoder(collate([list(range(2, 14))], 0))
    assert counter.get_total_flops() == Cost.of(checkpoint).sentence(12)


def test_shared_layers_count_each_time_they_run() -> None:
    torch.manual_seed(0)
    config = AlbertConfig(
        vocab_size=50,
        embedding_size=8,
        hidden_size=16,
        num_hidden_layers=3,
        num_attention_heads=2,
        intermediate_size=32,
    )
    cost = Cost.of_backbone(AlbertModel(config), None, "mean")
    weights = 3 * (4 * 16 * 16 + 2 * 16 * 32) + 8 * 16
    assert cost.sentence(5) == 2 * (5 * weights + 3 * 2 * 25 * 16)


def test_a_window_of_attention_is_counted_as_far_as_it_reaches() -> None:
    config = ModernBertConfig(
        vocab_size=50,
        hidden_size=16,
        num_hidden_layers=3,
        num_attention_heads=2,
        intermediate_size=32,
        local_attention=8,
        pad_token_id=0,
        cls_token_id=1,
        sep_token_id=2,
        bos_token_id=1,
        eos_token_id=2,
    )
    cost = Cost.of_backbone(ModernBertModel(config), None, "mean")
    weights = 3 * (4 * 16 * 16 + 3 * 16 * 32)  # gated: up is twice as wide
    pairs = 20 * 20 + 2 * attended(20, 4)
    assert cost.sentence(20) == 2 * (20 * weights + 2 * pairs * 16)


@pytest.mark.parametrize(("tokens", "reach"), [(1, 0), (1, 4), (5, 4), (6, 4), (20, 4), (9, 8), (10, 0)])
def test_pairs_in_a_window_are_those_one_counts_one_by_one(tokens: int, reach: int) -> None:
    pairs = sum(abs(query - key) <= reach for query in range(tokens) for key in range(tokens))
    assert attended(tokens, reach) == pairs


def test_the_tiny_model_is_what_the_hand_count_says_it_is() -> None:
    config = tiny_config()
    assert (config.num_hidden_layers, config.hidden_size, config.intermediate_size) == (2, WIDTH, 64)
