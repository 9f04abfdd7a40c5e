"""Backbones of every family, opened by their config: what the directory is called does not matter (pitfall 9)."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer
from transformers import AutoConfig, AutoModel, AutoTokenizer, PreTrainedModel

from models import ReferenceRuntime, load
from models.bundle import save_bundle
from models.config import POOLINGS, Pooling
from models.encoder import TextEncoder
from models.heads import MLPHead
from models.mcse import MCSE
from tests.conftest import WIDTH, vocabulary, write_tokenizer

TEXTS = ["a dog runs", "the big red dog plays with the ball in the snow", "two people"]
FAMILIES = {
    "albert": ("AlbertModel", {"embedding_size": 16}),
    "bert": ("BertModel", {}),
    "distilbert": ("DistilBertModel", {}),
    "modernbert": ("ModernBertModel", {"local_attention": 4, "global_attn_every_n_layers": 2}),
    "mpnet": ("MPNetModel", {}),
    "roberta": ("RobertaModel", {}),
    "xlm-roberta": ("XLMRobertaModel", {}),
}
WITH_POOLER = {"albert", "bert", "mpnet", "roberta", "xlm-roberta"}


def make(directory: Path, family: str) -> Path:
    special = {"pad_token_id": 0, "bos_token_id": 2, "eos_token_id": 3, "cls_token_id": 2, "sep_token_id": 3}
    config = AutoConfig.for_model(
        family,
        vocab_size=len(vocabulary()),
        hidden_size=WIDTH,
        num_hidden_layers=3,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=40,
        **{**special, **FAMILIES[family][1]},
    )
    torch.manual_seed(5)
    AutoModel.from_config(config).save_pretrained(directory)
    write_tokenizer(directory)
    return directory


@pytest.fixture(scope="module", params=FAMILIES)
def backbone(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory called after its family."""
    return make(tmp_path_factory.mktemp("backbones") / str(request.param), str(request.param))


@torch.no_grad()
def by_transformers(directory: Path, pooling: Pooling) -> np.ndarray:
    """What somebody computes with transformers alone, token types of its tokenizer included."""
    tokenizer = AutoTokenizer.from_pretrained(directory)
    batch = tokenizer(TEXTS, padding=True, return_token_type_ids=True, return_tensors="pt")
    model: PreTrainedModel = AutoModel.from_pretrained(directory, dtype=torch.float32).eval()
    known = {name: value for name, value in batch.items() if name != "token_type_ids" or has_types(model)}
    output = model(**known, output_hidden_states=True)
    layers, mask = output.hidden_states, batch["attention_mask"].unsqueeze(-1)
    if pooling == "cls_mlp":
        return np.asarray(output.pooler_output)
    if pooling == "cls":
        return np.asarray(layers[-1][:, 0])
    pairs = {"mean": (layers[-1], layers[-1]), "first_last": (layers[1], layers[-1]), "top2": (layers[-2], layers[-1])}
    one, other = pairs[pooling]
    return np.asarray(((one + other) / 2 * mask).sum(dim=1) / mask.sum(dim=1))


def has_types(model: PreTrainedModel) -> bool:
    return bool(getattr(model.config, "type_vocab_size", 0))


def by_us(directory: Path, pooling: Pooling | None = None) -> np.ndarray:
    checkpoint = load(directory, pooling=pooling)
    return ReferenceRuntime(checkpoint).encode([t.ids for t in checkpoint.tokenizer.encode(TEXTS)])


@pytest.mark.parametrize("pooling", [pooling for pooling in POOLINGS if pooling != "cls_mlp"])
def test_vectors_are_those_of_transformers(backbone: Path, pooling: Pooling) -> None:
    """Pitfall 6: token types left out are the zeros that the tokenizer gives a single sentence."""
    np.testing.assert_allclose(by_us(backbone, pooling), by_transformers(backbone, pooling), atol=1e-5)


@pytest.mark.parametrize("pooling", ["cls_mlp", "top2"])
def test_a_bundle_of_any_backbone_opens_everywhere(tmp_path: Path, backbone: Path, pooling: Pooling) -> None:
    plain = load(backbone, pooling="cls")
    config = dataclasses.replace(plain.config, pooling=pooling)
    encoder = TextEncoder(plain.model.encoder.backbone, config, head=MLPHead(WIDTH) if pooling == "cls_mlp" else None)
    save_bundle(tmp_path / "b", MCSE(encoder).eval(), tokenizer_from=backbone, card={}, readme="")
    ours = by_us(tmp_path / "b")
    np.testing.assert_allclose(SentenceTransformer(str(tmp_path / "b"), device="cpu").encode(TEXTS), ours, atol=1e-5)
    if pooling != "cls_mlp" or backbone.name in WITH_POOLER:
        np.testing.assert_allclose(by_transformers(tmp_path / "b", pooling), ours, atol=1e-5)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("name", ["my-roberta-large", "bert-base-uncased", "encoder"])
def test_the_name_of_a_directory_does_not_choose_the_backbone(tmp_path: Path, family: str, name: str) -> None:
    """Pitfall 9: a BERT in a path that says roberta is a BERT, and an ALBERT is none."""
    checkpoint = load(make(tmp_path / name, family))
    assert type(checkpoint.model.encoder.backbone).__name__ == FAMILIES[family][0]
    assert checkpoint.dimension == WIDTH
    assert checkpoint.max_tokens == (38 if "roberta" in family or family == "mpnet" else 40)


@pytest.mark.parametrize("family", ["albert", "bert", "roberta"])
def test_a_raw_release_of_any_family_is_read_by_its_own_prefix(tmp_path: Path, family: str) -> None:
    directory = make(tmp_path / "simcse-of-something", family)
    plain = by_us(make(tmp_path / "plain", family), "cls")
    model = AutoModel.from_pretrained(directory)
    state = {f"{family}.{name}": tensor for name, tensor in model.state_dict().items()}
    state |= {"mlp.dense.weight": torch.eye(WIDTH), "mlp.dense.bias": torch.zeros(WIDTH)}
    (directory / "model.safetensors").unlink()
    torch.save(state, directory / "pytorch_model.bin")
    np.testing.assert_allclose(by_us(directory), plain, atol=1e-6)
    np.testing.assert_allclose(by_us(directory, "cls_mlp"), np.tanh(plain), atol=1e-6)
