"""The fastest matrix products this machine shows, at each precision: what an encoder is measured against."""

from collections.abc import Callable

import torch
from torch import Tensor

from models.bench.timing import repeat
from models.runtime.base import Precision

# (rows, inner, columns): a square, and the two maps of a feed-forward layer, which some kernels like better.
_SHAPES = ((2048, 2048, 2048), (4096, 1536, 384), (4096, 384, 1536))


def matrix_peak(precision: Precision, threads: int, seconds: float, device: str = "cpu") -> float | None:
    """Operations a second of large products; None where torch has no such product here.

    Args:
        precision: of both factors. int8 products are summed in int32.
        threads: how many torch may use.
        seconds: about how long to measure.
        device: where to multiply.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        return max(_rate(precision, shape, seconds / len(_SHAPES), device) for shape in _SHAPES)
    except (RuntimeError, NotImplementedError):  # what torch raises for a product it does not have
        return None
    finally:
        torch.set_num_threads(before)


@torch.inference_mode()
def _rate(precision: Precision, shape: tuple[int, int, int], seconds: float, device: str) -> float:
    rows, inner, columns = shape
    multiply = _product(precision, _matrix(precision, rows, inner, device), _matrix(precision, columns, inner, device))
    return 2 * rows * inner * columns / repeat(multiply, seconds).best


def _product(precision: Precision, left: Tensor, right: Tensor) -> Callable[[], object]:
    act: Callable[[Tensor, Tensor], Tensor] = torch._int_mm if precision == "int8" else torch.mm

    def multiply() -> None:
        act(left, right.t())
        if left.is_cuda:
            torch.cuda.synchronize()

    return multiply


def _matrix(precision: Precision, rows: int, columns: int, device: str) -> Tensor:
    if precision == "int8":
        return torch.randint(-127, 128, (rows, columns), dtype=torch.int8, device=device)
    dtype = torch.float32 if precision == "float32" else torch.bfloat16
    return torch.randn(rows, columns, device=device).to(dtype)
