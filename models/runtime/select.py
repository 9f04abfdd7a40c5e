"""Which runtime a checkpoint gets on this machine."""

from typing import Literal

import torch

from models.checkpoint import Checkpoint
from models.errors import PrecisionError
from models.runtime.base import Device, PrecisionSetting, Runtime
from models.runtime.native.available import REASON, lacking, wanted
from models.runtime.native.from_modules import native_runtime
from models.runtime.native.processor import computes
from models.runtime.packed import PackedRuntime
from models.runtime.reference import ReferenceRuntime
from models.runtime.unsupported import UnsupportedArchitecture


def open_runtime(
    checkpoint: Checkpoint, *, precision: PrecisionSetting = "auto", device: Device = "auto", threads: int | None = None
) -> Runtime:
    """The fastest runtime that this checkpoint, this machine and these settings allow.

    Args:
        checkpoint: an opened model. Its weights are shared: it must not be trained on afterwards.
        precision: `auto` takes bfloat16 where the hardware multiplies it and float32 elsewhere.
        device: `auto` takes a GPU where torch finds one.
        threads: how many threads compute; None takes as many as torch would.

    Raises:
        PrecisionError: the precision or the device that was asked for is not to be had here.
    """
    if _on_gpu(device):
        return _on_torch(checkpoint, precision, device="cuda", threads=threads, because="torch finds a GPU")
    chosen = wanted(precision)
    problem = lacking(chosen)
    if problem is None:
        try:
            threads = threads or torch.get_num_threads()
            return native_runtime(checkpoint, precision=chosen, threads=threads, reason=REASON)
        except UnsupportedArchitecture as error:
            problem = str(error)
    return _on_torch(checkpoint, precision, device="cpu", threads=threads, because=f"no kernels of ours: {problem}")


def _on_gpu(device: Device) -> bool:
    if device == "cuda" and not torch.cuda.is_available():
        raise PrecisionError(
            "The device cuda was asked for, and torch finds no GPU. Use cpu, or install torch for CUDA."
        )
    return device != "cpu" and torch.cuda.is_available()


def _on_torch(
    checkpoint: Checkpoint, precision: PrecisionSetting, *, device: str, threads: int | None, because: str
) -> Runtime:
    if precision == "int8":
        raise PrecisionError(f"int8 is not to be had here ({because}). Use bfloat16, float32 or auto.")
    auto: Literal["float32", "bfloat16"] = "bfloat16" if device == "cuda" or computes("bfloat16") else "float32"
    chosen = auto if precision == "auto" else precision
    try:
        return PackedRuntime(checkpoint, precision=chosen, device=device, threads=threads, reason=because)
    except UnsupportedArchitecture as error:
        if precision == "bfloat16":
            raise PrecisionError(f"bfloat16 is not to be had for this model: {error}. Use float32 or auto.") from error
        return ReferenceRuntime(checkpoint, threads=threads, reason=f"no fast path: {error}")
