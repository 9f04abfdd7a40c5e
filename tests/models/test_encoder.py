import numpy as np
import pytest
import torch

from models.config import POOLINGS, EncoderConfig, Pooling
from models.encoder import TextEncoder, collate, pool
from models.heads import MLPHead
from tests.conftest import WIDTH
from tests.models.conftest import LAYERS, MAX_TOKENS, deep_backbone, pooled_model

BATCH = collate([[2, 7, 9, 11, 3], [2, 8, 3]], pad_id=0)


def hidden_states(backbone: torch.nn.Module) -> list[torch.Tensor]:
    states: tuple[torch.Tensor, ...] = backbone(
        input_ids=BATCH.ids, attention_mask=BATCH.mask, output_hidden_states=True
    ).hidden_states
    assert len(states) == LAYERS + 1  # 0 is the embeddings
    return list(states)


def mean_of_tokens(states: torch.Tensor) -> torch.Tensor:
    """Row by row, without a mask: each sentence is cut at its own length."""
    return torch.stack([row[: int(mask.sum())].mean(dim=0) for row, mask in zip(states, BATCH.mask, strict=True)])


def test_collate_pads_to_the_longest_and_marks_what_is_padding() -> None:
    batch = collate([[5, 6, 7], np.array([8], dtype=np.uint16)], pad_id=9)
    assert batch.ids.tolist() == [[5, 6, 7], [8, 9, 9]]
    assert batch.mask.tolist() == [[1, 1, 1], [1, 0, 0]]


@pytest.mark.parametrize("pooling", POOLINGS)
def test_pooling_reads_the_first_token_or_the_mean_without_padding(pooling: Pooling) -> None:
    states = torch.tensor([[[1.0, 2.0], [3.0, 4.0], [100.0, 100.0]]])
    pooled = pool(states, torch.tensor([[1, 1, 0]]), pooling)
    np.testing.assert_allclose(pooled.numpy(), [[1.0, 2.0] if "cls" in pooling else [2.0, 3.0]])


@torch.no_grad()
def test_each_pooling_is_what_its_name_says() -> None:
    """Pitfall 16: first_last takes the first layer's output, not the embeddings before it."""
    heads = {pooling: pooled_model(pooling).encoder.head for pooling in POOLINGS}
    states = hidden_states(pooled_model("cls").encoder.backbone)
    assert heads["cls_mlp"] is not None
    expected = {
        "cls": states[-1][:, 0],
        "cls_mlp": torch.tanh(heads["cls_mlp"].dense(states[-1][:, 0])),
        "mean": mean_of_tokens(states[-1]),
        "first_last": mean_of_tokens((states[1] + states[-1]) / 2),
        "top2": mean_of_tokens((states[-2] + states[-1]) / 2),
    }
    for pooling in POOLINGS:
        torch.testing.assert_close(pooled_model(pooling).encoder(BATCH), expected[pooling], rtol=0, atol=1e-6)
    embeddings_instead = mean_of_tokens((states[0] + states[-1]) / 2)
    assert (expected["first_last"] - embeddings_instead).abs().max() > 0.01


@pytest.mark.parametrize("pooling", POOLINGS)
def test_a_backbone_keeps_its_layers_only_for_the_poolings_that_read_them(pooling: Pooling) -> None:
    encoder = pooled_model(pooling).encoder
    seen: list[bool] = []

    def look(_module: torch.nn.Module, _inputs: object, output: object) -> None:
        seen.append(getattr(output, "hidden_states", None) is not None)

    encoder.backbone.register_forward_hook(look)
    encoder(BATCH)
    assert seen == [pooling in ("first_last", "top2")]


@pytest.mark.parametrize("pooling", POOLINGS)
def test_the_mlp_head_belongs_to_cls_mlp_and_to_no_other_pooling(pooling: Pooling) -> None:
    config = EncoderConfig(pooling=pooling, max_tokens=MAX_TOKENS, dimension=WIDTH)
    wrong = None if pooling == "cls_mlp" else MLPHead(WIDTH)
    with pytest.raises(ValueError, match=f"{pooling} pooling (needs|takes no) MLP head"):
        TextEncoder(deep_backbone(), config, head=wrong)


@pytest.mark.parametrize("pooling", POOLINGS)
def test_every_weight_that_a_pooling_uses_gets_a_gradient(pooling: Pooling) -> None:
    encoder = pooled_model(pooling).encoder
    encoder(BATCH).square().sum().backward()
    assert [name for name, parameter in encoder.named_parameters() if parameter.grad is None] == []
