"""Each family's weights by role, and what no fast path computes."""

import pytest
import torch
from transformers import AutoModel

from models.runtime.architecture import describe, relative_bias_of
from models.runtime.unsupported import UnsupportedArchitecture
from tests.conftest import WIDTH
from tests.models.runtime.families import FAMILIES, config, random_backbone


@pytest.mark.parametrize("family", FAMILIES)
def test_every_weight_has_the_shape_of_its_role(family: str) -> None:
    architecture = describe(random_backbone(family))
    assert architecture.hidden == WIDTH
    for layer in architecture.layers:
        assert layer.qkv.weight.shape == (3 * WIDTH, WIDTH)
        assert layer.attention_out.weight.shape == (WIDTH, WIDTH)
        assert layer.up.weight.shape == (64 * (2 if architecture.gated else 1), WIDTH)
        assert layer.down.weight.shape == (WIDTH, 64)
        assert all(linear.weight.is_contiguous() for linear in (layer.qkv, layer.attention_out, layer.up, layer.down))


@pytest.mark.parametrize(
    ("family", "first"),
    [("bert", 0), ("distilbert", 0), ("camembert", 1), ("roberta", 1), ("xlm-roberta", 1), ("mpnet", 2)],
)
def test_positions_begin_with_that_of_the_first_token(family: str, first: int) -> None:
    """Some count from the padding id + 1; MPNet's padding id is 1 whatever its config says."""
    backbone = random_backbone(family)
    weights = {name: weight for name, weight in backbone.named_parameters() if "embeddings" in name}
    expected = weights["embeddings.position_embeddings.weight"][first:]
    if "embeddings.token_type_embeddings.weight" in weights:
        expected = expected + weights["embeddings.token_type_embeddings.weight"][0]
    positions = describe(backbone).positions
    assert positions is not None
    torch.testing.assert_close(positions, expected, rtol=0, atol=0)


def test_weights_that_need_no_change_are_not_copied() -> None:
    backbone = random_backbone("distilbert")
    architecture = describe(backbone)
    shared = dict(backbone.named_parameters())
    assert architecture.words.data_ptr() == shared["embeddings.word_embeddings.weight"].data_ptr()
    assert architecture.positions is not None
    assert architecture.positions.data_ptr() == shared["embeddings.position_embeddings.weight"].data_ptr()
    assert architecture.layers[0].up.weight.data_ptr() == shared["transformer.layer.0.ffn.lin1.weight"].data_ptr()


@pytest.mark.parametrize("length", [1, 7, 8, 30, 300])
def test_the_relative_bias_is_that_of_mpnet(length: int) -> None:
    backbone = random_backbone("mpnet")
    theirs = backbone.get_submodule("encoder").compute_position_bias(torch.zeros(1, length, WIDTH))[0]  # type: ignore[operator]
    ours = relative_bias_of(describe(backbone), length)
    assert ours is not None
    torch.testing.assert_close(ours, theirs, rtol=0, atol=0)


def test_other_families_have_no_relative_bias() -> None:
    assert relative_bias_of(describe(random_backbone("bert")), 5) is None


@pytest.mark.parametrize(
    ("family", "changed", "told"),
    [
        ("albert", {"embedding_size": 16}, "AlbertModel is not one of BertModel"),
        ("bert", {"hidden_act": "silu"}, "BertModel with the activation 'silu'"),
        ("bert", {"is_decoder": True}, "BertModel as a decoder"),
        ("roberta", {"position_embedding_type": "relative_key"}, "RobertaModel with 'relative_key' positions"),
        ("distilbert", {"activation": "tanh"}, "DistilBertModel with the activation 'tanh'"),
        (
            "modernbert",
            {"rope_parameters": {"full_attention": {"rope_type": "linear", "factor": 2.0, "rope_theta": 1e4}}},
            "ModernBertModel with 'linear' rotary angles",
        ),
    ],
)
def test_what_no_fast_path_computes_is_named(family: str, changed: dict[str, object], told: str) -> None:
    backbone = AutoModel.from_config(config(family, **changed))
    with pytest.raises(UnsupportedArchitecture, match=told):
        describe(backbone)
