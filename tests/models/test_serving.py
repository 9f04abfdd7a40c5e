"""Opening a model to serve it: the quick way gives what the ordinary way gives, and knows when it must not be taken."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from models import CheckpointError, load, open_runtime, open_to_serve
from models.bundle import save_bundle
from models.config import Pooling
from models.encoder import TextEncoder
from models.heads import GroundingProjection, MLPHead
from models.manifest import write_manifest
from models.mcse import MCSE
from models.runtime.native.available import lacking
from models.shipped import SHIPPED
from tests.models.test_backbones import make

ROOT = Path(__file__).parents[2]
TEXTS = ["a dog runs", "the big red dog plays with the ball in the snow", "two people"]

pytestmark = pytest.mark.skipif(lacking("float32") is not None, reason=f"our kernels: {lacking('float32')}")


def bundle(directory: Path, family: str = "bert", *, mlp: bool = True) -> Path:
    base = load(make(directory / "base", family))
    torch.manual_seed(9)
    encoder = TextEncoder(base.model.encoder.backbone, base.config)
    head = MLPHead(base.dimension) if mlp else None
    model = MCSE(encoder, mlp=head, grounding=GroundingProjection(base.dimension, 16))
    save_bundle(directory / "bundle", model, tokenizer_from=base.path, card={}, readme="A test.\n")
    return directory / "bundle"


def way_of(directory: Path, name: str = "bundle") -> str:
    """Whether a fresh process needed torch to open a bundle."""
    code = (
        "import sys; from models.serving import open_to_serve; "
        f"open_to_serve({str(directory)!r}, threads=1); print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return "ordinary" if done.stdout.strip() == "True" else "quick"


@pytest.mark.parametrize("pooling", [None, "mean", "cls_mlp", "top2"])
@pytest.mark.parametrize("family", ["bert", "roberta", "xlm-roberta"])
def test_the_quick_way_has_the_fingerprint_and_vectors_of_the_ordinary_one(
    tmp_path: Path, family: str, pooling: Pooling | None
) -> None:
    directory = bundle(tmp_path, family)
    quick, runtime = open_to_serve(str(directory), pooling=pooling, precision="float32", threads=1)
    ordinary = load(directory, pooling=pooling)
    assert quick.fingerprint == ordinary.fingerprint
    assert (quick.name, quick.kind, quick.config) == (ordinary.name, ordinary.kind, ordinary.config)
    assert (quick.pooling_reason, quick.grounded_dimension) == (ordinary.pooling_reason, ordinary.grounded_dimension)
    ids = [each.ids for each in quick.tokenizer.encode(TEXTS)]
    assert ids == [each.ids for each in ordinary.tokenizer.encode(TEXTS)]
    theirs = open_runtime(ordinary, precision="float32", device="cpu", threads=1)
    np.testing.assert_allclose(runtime.encode(ids), theirs.encode(ids), atol=1e-6)
    np.testing.assert_allclose(runtime.ground(runtime.encode(ids)), theirs.ground(theirs.encode(ids)), atol=1e-6)


def test_both_ways_read_the_prompts_and_neither_takes_damaged_ones(tmp_path: Path) -> None:
    directory = bundle(tmp_path)
    path = directory / "config_sentence_transformers.json"
    settings = json.loads(path.read_text())
    path.write_text(json.dumps({**settings, "prompts": {"query": "query: "}, "default_prompt_name": "query"}))
    write_manifest(directory)
    assert way_of(directory) == "quick"
    quick, _ = open_to_serve(str(directory), precision="float32", threads=1)
    assert (quick.prompts, quick.default_prompt_name) == ({"query": "query: "}, "query")
    ordinary = load(directory)
    assert (ordinary.prompts, ordinary.default_prompt_name) == (quick.prompts, quick.default_prompt_name)
    path.write_text(json.dumps({**settings, "default_prompt_name": "passage"}))
    write_manifest(directory)
    with pytest.raises(CheckpointError, match="none of its prompts"):
        open_to_serve(str(directory), precision="float32", threads=1)


def test_the_shipped_checkpoint_is_served_without_torch() -> None:
    assert way_of(SHIPPED) == "quick"
    assert open_to_serve(str(SHIPPED), threads=1)[0].fingerprint == load(SHIPPED).fingerprint


@pytest.mark.parametrize("family", ["bert", "roberta"])
def test_plain_descendants_of_bert_are_opened_the_quick_way(tmp_path: Path, family: str) -> None:
    assert way_of(bundle(tmp_path, family)) == "quick"


@pytest.mark.parametrize("family", ["albert", "mpnet", "modernbert"])
def test_other_families_are_opened_the_ordinary_way(tmp_path: Path, family: str) -> None:
    assert way_of(bundle(tmp_path, family, mlp=family != "modernbert")) == "ordinary"


def test_a_plain_hugging_face_directory_is_opened_the_ordinary_way(tmp_path: Path) -> None:
    directory = make(tmp_path / "plain", "bert")
    checkpoint, runtime = open_to_serve(str(directory), threads=1)
    assert checkpoint.fingerprint == load(directory).fingerprint
    assert runtime.name.startswith("native-")


def change(directory: Path, name: str, tensor: torch.Tensor | None) -> None:
    tensors = load_file(directory / "model.safetensors")
    tensors.pop(name)
    if tensor is not None:
        tensors[name] = tensor
    save_file(tensors, directory / "model.safetensors")
    write_manifest(directory)


@pytest.mark.parametrize(
    ("tensor", "message"),
    [
        (None, "missing"),
        (torch.zeros(3, 3), "misshapen|size mismatch|could not be opened"),
        (torch.full((32, 32), torch.nan), "NaN"),
    ],
)
def test_wrong_weights_are_refused_with_the_reason_of_the_ordinary_way(
    tmp_path: Path, tensor: torch.Tensor | None, message: str
) -> None:
    directory = bundle(tmp_path)
    change(directory, "encoder.layer.1.attention.self.key.weight", tensor)
    with pytest.raises(CheckpointError, match=message):
        open_to_serve(str(directory), threads=1)


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    directory = bundle(tmp_path)
    content = bytearray((directory / "model.safetensors").read_bytes())
    content[-1] ^= 1
    (directory / "model.safetensors").write_bytes(content)
    with pytest.raises(CheckpointError, match="SHA-256"):
        open_to_serve(str(directory), threads=1)


def test_a_config_that_lies_about_the_shapes_never_reaches_the_kernels(tmp_path: Path) -> None:
    directory = bundle(tmp_path)
    config = json.loads((directory / "config.json").read_text())
    (directory / "config.json").write_text(json.dumps({**config, "vocab_size": config["vocab_size"] + 1000}))
    write_manifest(directory)
    with pytest.raises(CheckpointError):
        open_to_serve(str(directory), threads=1)
