"""Which path a model gets, why, and what is refused by name."""

from pathlib import Path

import pytest
import torch

from models import PrecisionError, load, open_runtime
from models.runtime import PrecisionSetting
from models.runtime.native import sources
from models.runtime.native.available import lacking
from tests.models.test_backbones import make

NO_GPU = pytest.mark.skipif(torch.cuda.is_available(), reason="torch finds a GPU here")
KERNELS = pytest.mark.skipif(lacking("float32") is not None, reason=f"our kernels: {lacking('float32')}")


@KERNELS
@pytest.mark.parametrize("family", ["bert", "distilbert", "mpnet", "roberta", "xlm-roberta"])
def test_our_kernels_are_taken_where_they_compute_the_model(tmp_path: Path, family: str) -> None:
    runtime = open_runtime(load(make(tmp_path / family, family)), precision="float32", device="cpu", threads=1)
    assert (runtime.name, runtime.threads) == ("native-float32", 1)


@pytest.mark.parametrize("precision", ["auto", "float32"])
def test_torch_computes_where_the_kernels_are_not_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, precision: PrecisionSetting
) -> None:
    monkeypatch.setattr(sources, "BUILT", tmp_path / "nothing")
    runtime = open_runtime(load(make(tmp_path / "bert", "bert")), precision=precision, device="cpu")
    assert runtime.name.startswith("packed-")
    assert "not built" in runtime.reason or "AVX-512" in runtime.reason


def test_torch_computes_what_the_kernels_do_not_and_says_so(tmp_path: Path) -> None:
    runtime = open_runtime(load(make(tmp_path / "modernbert", "modernbert")), precision="float32", device="cpu")
    assert runtime.name == "packed-float32"
    assert "no kernels of ours" in runtime.reason


def test_what_no_fast_path_computes_goes_through_transformers(tmp_path: Path) -> None:
    checkpoint = load(make(tmp_path / "albert", "albert"))
    runtime = open_runtime(checkpoint, device="cpu")
    assert runtime.name == "reference-float32"
    assert "AlbertModel" in runtime.reason
    with pytest.raises(PrecisionError, match=r"bfloat16 .* AlbertModel.* Use float32 or auto"):
        open_runtime(checkpoint, precision="bfloat16", device="cpu")


def test_int8_is_refused_where_only_torch_computes(tmp_path: Path) -> None:
    with pytest.raises(PrecisionError, match=r"int8 is not to be had here .* Use bfloat16, float32 or auto"):
        open_runtime(load(make(tmp_path / "modernbert", "modernbert")), precision="int8", device="cpu")


@NO_GPU
def test_a_gpu_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(PrecisionError, match="torch finds no GPU"):
        open_runtime(load(make(tmp_path / "bert", "bert")), device="cuda")
