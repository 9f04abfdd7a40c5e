"""Whether the kernels can compute on this machine, and in which precision they would by themselves."""

from models.runtime.base import Precision, PrecisionSetting
from models.runtime.native.library import is_built
from models.runtime.native.processor import computes

REASON = "the processor multiplies in this precision, and our kernels compute this model"


def wanted(precision: PrecisionSetting) -> Precision:
    """`auto` takes bfloat16 where the processor multiplies it, and float32 elsewhere."""
    if precision != "auto":
        return precision
    return "bfloat16" if computes("bfloat16") else "float32"


def lacking(precision: Precision) -> str | None:
    """Why the kernels cannot compute in this precision here; None where they can."""
    if not computes(precision):
        return f"the processor lacks the AVX-512 instructions for {precision}"
    if not is_built(precision):
        return "they are not built (make kernels)"
    return None
