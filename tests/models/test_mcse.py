import copy

import pytest
import torch
from transformers import PreTrainedModel

from models.encoder import collate
from models.heads import ImageProjection, MLPHead
from models.mcse import MCSE
from tests.conftest import IMAGE_WIDTH, PROJECTION, WIDTH, tiny_model
from tests.models.conftest import pooled_model

BATCH = collate([[2, 7, 9, 3], [2, 8, 3]], pad_id=0)


def test_outputs_are_named_and_shaped() -> None:
    output = tiny_model()(BATCH)
    assert output.sentence.shape == output.projected.shape == (2, WIDTH)
    assert output.grounded.shape == (2, PROJECTION)
    torch.testing.assert_close(output.grounded.norm(dim=1), torch.ones(2))


def test_both_text_heads_read_the_raw_sentence_vector() -> None:
    model = tiny_model()
    output = model(BATCH)
    assert model.mlp is not None
    assert model.grounding is not None
    torch.testing.assert_close(output.projected, torch.tanh(model.mlp.dense(output.sentence)))
    grounded = torch.tanh(model.grounding.dense(output.sentence))
    torch.testing.assert_close(output.grounded, grounded / grounded.norm(dim=1, keepdim=True))


def test_without_heads_only_the_sentence_is_there() -> None:
    output = MCSE(tiny_model().encoder)(BATCH)
    assert output.grounded is None
    assert output.projected is output.sentence


def test_with_cls_mlp_the_head_is_in_the_encoder_and_is_applied_once() -> None:
    model = pooled_model("cls_mlp")
    output = model(BATCH)
    assert model.mlp is None
    assert model.text_head is model.encoder.head is not None
    assert output.projected is output.sentence
    torch.testing.assert_close(output.sentence, pooled_model("cls")(BATCH).projected)


def test_the_text_head_is_the_one_that_is_there() -> None:
    model = pooled_model("cls")
    assert model.text_head is model.mlp is not None
    assert MCSE(model.encoder).text_head is None


def test_a_second_mlp_head_is_refused() -> None:
    with pytest.raises(ValueError, match="in the encoder already"):
        MCSE(pooled_model("cls_mlp").encoder, mlp=MLPHead(WIDTH))


def test_images_get_unit_vectors_in_the_shared_space() -> None:
    images = tiny_model().project_images(torch.randn(3, IMAGE_WIDTH))
    assert images.shape == (3, PROJECTION)
    torch.testing.assert_close(images.norm(dim=1), torch.ones(3))


def test_projecting_images_without_the_head_says_what_is_missing() -> None:
    with pytest.raises(ValueError, match="no image projection"):
        MCSE(tiny_model().encoder).project_images(torch.randn(1, IMAGE_WIDTH))


def test_two_dropout_views_of_one_batch_differ() -> None:
    model = copy.deepcopy(tiny_model()).train()
    output = model(collate([[2, 7, 9, 3]] * 2, pad_id=0))
    assert not torch.allclose(output.sentence[0], output.sentence[1])


def test_the_mlp_head_starts_like_bert_and_image_dropout_acts_in_training_only() -> None:
    torch.manual_seed(0)
    head = MLPHead(256)
    assert abs(float(head.dense.weight.detach().std()) - 0.02) < 0.001
    assert float(head.dense.bias.detach().abs().max()) == 0
    image = ImageProjection(IMAGE_WIDTH, PROJECTION, dropout=0.5)
    features = torch.randn(4, IMAGE_WIDTH)
    assert not torch.equal(image.train()(features), image(features))
    assert torch.equal(image.eval()(features), image(features))


def test_the_network_is_plain_modules_of_our_own() -> None:
    """Pitfall 13: the original's classes stand on parts of transformers that are gone; only its backbones are used."""
    model = tiny_model()
    assert not isinstance(model, PreTrainedModel)
    assert not isinstance(model.mlp, PreTrainedModel)
    assert isinstance(model.encoder.backbone, PreTrainedModel)
