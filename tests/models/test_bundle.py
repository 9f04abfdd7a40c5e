import copy
import dataclasses
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from sentence_transformers import SentenceTransformer
from transformers import AutoModel

from models import Checkpoint, CheckpointError, ReferenceRuntime, load
from models.bundle import save_bundle
from models.config import POOLINGS, Pooling
from models.encoder import TextEncoder, collate
from models.heads import MLPHead
from models.manifest import verify_manifest, write_manifest
from models.mcse import MCSE
from tests.conftest import tiny_model
from tests.models.conftest import pooled_model

TEXTS = ["a dog runs", "the big red dog plays with the ball in the snow", "two people"]


@pytest.fixture
def bundle(tmp_path: Path, tiny_bundle: Path) -> Path:
    """A copy that may be damaged."""
    return Path(shutil.copytree(tiny_bundle, tmp_path / "bundle"))


def vectors(path: Path) -> np.ndarray:
    return encode(load(path))


def encode(checkpoint: Checkpoint) -> np.ndarray:
    return ReferenceRuntime(checkpoint).encode([t.ids for t in checkpoint.tokenizer.encode(TEXTS)])


def test_what_was_saved_is_what_is_read_back(tiny_bundle: Path) -> None:
    checkpoint = load(tiny_bundle)
    assert checkpoint.kind == "bundle"
    assert checkpoint.pooling == "mean"
    assert checkpoint.max_tokens == 20
    assert checkpoint.card["base_model"] == "tiny"
    saved, read = tiny_model().state_dict(), checkpoint.model.state_dict()
    assert saved.keys() == read.keys()
    for name, tensor in saved.items():
        torch.testing.assert_close(read[name], tensor, rtol=0, atol=0)


@pytest.mark.parametrize("pooling", POOLINGS)
def test_every_pooling_is_read_back_with_its_heads(tmp_path: Path, tiny_base: Path, pooling: Pooling) -> None:
    model = pooled_model(pooling)
    save_bundle(tmp_path / "b", model, tokenizer_from=tiny_base, card={}, readme="")
    checkpoint = load(tmp_path / "b")
    assert (checkpoint.kind, checkpoint.pooling) == ("bundle", pooling)
    saved, read = model.state_dict(), checkpoint.model.state_dict()
    assert saved.keys() == read.keys()
    for name, tensor in saved.items():
        assert torch.equal(read[name], tensor), name


def test_the_mlp_head_has_one_name_on_disk_wherever_it_sits(tmp_path: Path, tiny_base: Path) -> None:
    names = []
    for pooling in ("cls", "cls_mlp"):
        save_bundle(tmp_path / pooling, pooled_model(pooling), tokenizer_from=tiny_base, card={}, readme="")
        names.append(sorted(load_file(tmp_path / pooling / "heads.safetensors")))
    assert names[0] == names[1]
    assert "mlp.dense.weight" in names[0]


def test_a_bundle_of_one_pooling_can_be_opened_with_any_other(tmp_path: Path, tiny_base: Path) -> None:
    for pooling in POOLINGS:
        save_bundle(tmp_path / pooling, pooled_model(pooling), tokenizer_from=tiny_base, card={}, readme="")
    for pooling in POOLINGS:
        for other in POOLINGS:
            checkpoint = load(tmp_path / pooling, pooling=other)
            np.testing.assert_array_equal(vectors(tmp_path / other), encode(checkpoint))
            assert (checkpoint.model.mlp is None) == (other == "cls_mlp")
            assert checkpoint.fingerprint == load(tmp_path / other).fingerprint


def test_the_fingerprint_covers_the_pooling_and_the_head_it_goes_through(tmp_path: Path, tiny_base: Path) -> None:
    for pooling in POOLINGS:
        save_bundle(tmp_path / pooling, pooled_model(pooling), tokenizer_from=tiny_base, card={}, readme="")
    other = pooled_model("cls_mlp")
    assert other.encoder.head is not None
    other.encoder.head.dense.bias.data[0] += 1e-3
    save_bundle(tmp_path / "other", other, tokenizer_from=tiny_base, card={}, readme="")
    assert len({load(path).fingerprint for path in tmp_path.iterdir()}) == len(POOLINGS) + 1


def test_a_bundle_of_averaged_layers_that_is_saved_as_mean_keeps_nothing_of_it(tmp_path: Path, tiny_base: Path) -> None:
    save_bundle(tmp_path / "top2", pooled_model("top2"), tokenizer_from=tiny_base, card={}, readme="")
    again = load(tmp_path / "top2", pooling="mean").model
    save_bundle(tmp_path / "mean", again, tokenizer_from=tmp_path / "top2", card={}, readme="")
    assert not (tmp_path / "mean" / "1_WeightedLayerPooling").exists()
    assert json.loads((tmp_path / "mean" / "config.json").read_text())["output_hidden_states"] is False


def test_a_bundle_that_says_cls_mlp_but_has_lost_its_head_is_refused(tmp_path: Path, tiny_base: Path) -> None:
    save_bundle(tmp_path / "b", pooled_model("cls_mlp"), tokenizer_from=tiny_base, card={}, readme="")
    (tmp_path / "b" / "heads.safetensors").unlink()
    write_manifest(tmp_path / "b")
    with pytest.raises(CheckpointError, match="cls_mlp pooling goes through a trained MLP head"):
        load(tmp_path / "b")


def test_what_training_builds_for_cls_mlp_from_a_plain_encoder_makes_the_round_trip(
    tmp_path: Path, tiny_base: Path
) -> None:
    base = load(tiny_base, pooling="cls")
    config = dataclasses.replace(base.config, pooling="cls_mlp")
    backbone = copy.deepcopy(base.model.encoder).backbone
    model = MCSE(TextEncoder(backbone, config, head=MLPHead(config.dimension))).eval()
    save_bundle(tmp_path / "b", model, tokenizer_from=base.path, card={}, readme="")
    expected = encode(dataclasses.replace(base, model=model, config=config))
    np.testing.assert_array_equal(vectors(tmp_path / "b"), expected)


def test_sentence_transformers_gives_the_same_vectors(tiny_bundle: Path) -> None:
    peer = SentenceTransformer(str(tiny_bundle), device="cpu")
    np.testing.assert_allclose(peer.encode(TEXTS), vectors(tiny_bundle), atol=1e-6)
    assert peer.max_seq_length == 20


def test_transformers_gives_the_same_token_states_and_the_trained_mlp_as_pooler(tiny_bundle: Path) -> None:
    peer, ours = AutoModel.from_pretrained(tiny_bundle).eval(), load(tiny_bundle).model
    batch = collate([[2, 7, 9, 3]], pad_id=0)
    with torch.no_grad():
        states = peer(input_ids=batch.ids, attention_mask=batch.mask)
        assert ours.mlp is not None
        torch.testing.assert_close(states.last_hidden_state.mean(dim=1), ours(batch).sentence)
        torch.testing.assert_close(states.pooler_output, ours.mlp(states.last_hidden_state[:, 0]))


def test_half_precision_is_for_the_disk_only(tmp_path: Path, tiny_base: Path) -> None:
    save_bundle(tmp_path / "half", tiny_model(), tokenizer_from=tiny_base, card={}, readme="", precision="float16")
    assert load_file(tmp_path / "half" / "model.safetensors")["embeddings.word_embeddings.weight"].dtype == torch.half
    assert {tensor.dtype for tensor in load(tmp_path / "half").model.state_dict().values()} == {torch.float32}
    peer = SentenceTransformer(str(tmp_path / "half"), device="cpu")
    np.testing.assert_allclose(peer.encode(TEXTS), vectors(tmp_path / "half"), atol=1e-6)


def test_saving_twice_replaces_the_directory_and_leaves_no_rubbish(tmp_path: Path, tiny_base: Path) -> None:
    for readme in ("first", "second"):
        save_bundle(tmp_path / "b", tiny_model(), tokenizer_from=tiny_base, card={}, readme=readme)
    assert [path.name for path in tmp_path.iterdir()] == ["b"]
    assert (tmp_path / "b" / "README.md").read_text() == "second"
    verify_manifest(tmp_path / "b")


def test_another_user_may_read_what_was_saved(tiny_bundle: Path) -> None:
    for path in (tiny_bundle, *tiny_bundle.rglob("*")):
        assert path.stat().st_mode & 0o004, path


def test_a_failed_save_leaves_the_old_bundle(tmp_path: Path, tiny_base: Path) -> None:
    save_bundle(tmp_path / "b", tiny_model(), tokenizer_from=tiny_base, card={}, readme="old")
    with pytest.raises(TypeError):
        save_bundle(tmp_path / "b", tiny_model(), tokenizer_from=tiny_base, card={"x": object()}, readme="new")
    assert [path.name for path in tmp_path.iterdir()] == ["b"]
    assert (tmp_path / "b" / "README.md").read_text() == "old"


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json", "heads.safetensors", "mcse.json"])
def test_one_changed_byte_is_refused_and_the_file_named(bundle: Path, name: str) -> None:
    content = bytearray((bundle / name).read_bytes())
    content[len(content) // 2] ^= 1
    (bundle / name).write_bytes(content)
    with pytest.raises(CheckpointError, match=name):
        load(bundle)


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json", "config.json"])
def test_a_missing_file_is_named(bundle: Path, name: str) -> None:
    (bundle / name).unlink()
    with pytest.raises(CheckpointError, match=f"{name}: the manifest lists this file, but it is missing"):
        load(bundle)


def test_a_manifest_that_is_gone_or_empty_is_refused(bundle: Path) -> None:
    (bundle / "manifest.json").write_text("{}")
    with pytest.raises(CheckpointError, match="no digests"):
        load(bundle)
    (bundle / "manifest.json").unlink()
    with pytest.raises(CheckpointError, match=r"manifest\.json"):
        load(bundle)


@pytest.mark.parametrize("content", [b"", b"\x08\0\0\0\0\0\0\0{}", os.urandom(100)], ids=["empty", "lying", "random"])
def test_weights_that_are_no_safetensors_are_named_even_with_a_good_manifest(bundle: Path, content: bytes) -> None:
    (bundle / "model.safetensors").write_bytes(content)
    write_manifest(bundle)
    with pytest.raises(CheckpointError):
        load(bundle)


def test_a_format_from_the_future_is_refused(bundle: Path) -> None:
    card = json.loads((bundle / "mcse.json").read_text())
    (bundle / "mcse.json").write_text(json.dumps({**card, "format": 99}))
    write_manifest(bundle)
    with pytest.raises(CheckpointError, match="its format is 99"):
        load(bundle)


def test_a_card_without_what_a_loader_needs_is_refused(bundle: Path) -> None:
    card = json.loads((bundle / "mcse.json").read_text())
    del card["max_tokens"]
    (bundle / "mcse.json").write_text(json.dumps(card))
    write_manifest(bundle)
    with pytest.raises(CheckpointError, match="max_tokens is missing or wrong"):
        load(bundle)


def test_a_file_that_the_manifest_does_not_list_is_refused_but_hidden_ones_are_not(bundle: Path) -> None:
    (bundle / ".DS_Store").write_bytes(b"x")
    load(bundle)
    (bundle / "added_tokens.json").write_text("{}")
    with pytest.raises(CheckpointError, match=r"added_tokens\.json: the manifest does not list this file"):
        load(bundle)


def test_the_architecture_named_is_that_of_the_weights(tiny_bundle: Path) -> None:
    assert json.loads((tiny_bundle / "config.json").read_text())["architectures"] == ["BertModel"]


def test_an_incomplete_head_is_refused(bundle: Path) -> None:
    from safetensors.torch import save_file

    heads = load_file(bundle / "heads.safetensors")
    del heads["grounding.dense.bias"]
    save_file(heads, bundle / "heads.safetensors")
    write_manifest(bundle)
    with pytest.raises(CheckpointError, match="grounding head"):
        load(bundle)
