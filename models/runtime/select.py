"""Which runtime a checkpoint gets on this machine."""

from typing import Literal

from models.checkpoint import Checkpoint
from models.runtime.base import Precision, Runtime
from models.runtime.reference import ReferenceRuntime

PrecisionSetting = Precision | Literal["auto"]
Device = Literal["auto", "cpu", "cuda"]


def open_runtime(
    checkpoint: Checkpoint, *, precision: PrecisionSetting = "auto", device: Device = "auto", threads: int | None = None
) -> Runtime:
    """The fastest runtime that this checkpoint, this machine and these settings allow.

    Args:
        checkpoint: an opened model.
        precision: `auto` takes bfloat16 where the processor computes with it and float32 elsewhere.
        device: `auto` takes a GPU where torch finds one.
        threads: how many threads compute; None leaves it to torch.
    """
    return ReferenceRuntime(checkpoint, threads=threads)
