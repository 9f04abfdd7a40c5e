"""The state of a run on disk: enough to go on as if it had never stopped, whole or absent."""

import hashlib
import io
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from models.files import write_durably
from models.mcse import MCSE
from training.errors import TrainingError
from training.optimizer import MovingAverage

STATE = "state.pt"
BEST = "best.safetensors"
_DIGEST = hashlib.sha256().digest_size


@dataclass(slots=True)
class Progress:
    """How far a run is. All randomness follows from seed and step, so there is nothing else to remember."""

    step: int = 0
    """Optimizer steps done."""
    best_step: int = -1
    """Steps done when the best dev score was found; -1 before the first evaluation."""
    best_score: float = float("-inf")
    """Spearman x 100 on STS-B dev; a first score that is negative is still the best."""
    best_digest: str = ""
    """SHA-256 of `best.safetensors`."""
    stale: int = 0
    """Evaluations since the best."""
    seconds: float = 0.0
    """Wall time spent, over all sittings."""


@dataclass(frozen=True, slots=True)
class Savable:
    """Everything of a run that changes."""

    trained: nn.Module
    optimizer: Optimizer
    rates: LRScheduler
    average: MovingAverage | None


def save_state(run: Path, savable: Savable, progress: Progress) -> None:
    """Write everything that changes as one file, its SHA-256 at the end.

    Raises:
        TrainingError: it cannot be written; the file before it is still whole.
    """
    buffer = io.BytesIO()
    state = {
        "trained": savable.trained.state_dict(),
        "optimizer": savable.optimizer.state_dict(),
        "rates": savable.rates.state_dict(),
        "average": savable.average.weights if savable.average is not None else None,
        "progress": asdict(progress),
    }
    torch.save(state, buffer)
    content = buffer.getvalue()
    _write(run / STATE, content + hashlib.sha256(content).digest())


def load_state(run: Path, savable: Savable) -> Progress:
    """Put a run back to where `save_state` left it.

    Raises:
        TrainingError: there is no state, or it does not fit the configuration.
    """
    path = run / STATE
    try:
        state: dict[str, Any] = torch.load(io.BytesIO(_checked(path)), map_location="cpu", weights_only=True)
        savable.trained.load_state_dict(state["trained"])
        savable.optimizer.load_state_dict(state["optimizer"])
        savable.rates.load_state_dict(state["rates"])
        if savable.average is not None:
            savable.average.restore(state["average"])
        return Progress(**state["progress"])
    except FileNotFoundError as error:
        raise TrainingError(f"{path}: nothing to resume; start the run without --resume.") from error
    except TrainingError:
        raise
    except Exception as error:  # torch raises many kinds for a damaged file; the caller is told which file
        raise TrainingError(f"{path}: cannot be resumed from ({error}). Start again in another --output.") from error


def save_best(run: Path, model: MCSE) -> str:
    """Keep the weights of the best evaluation; returns their SHA-256.

    Raises:
        TrainingError: they cannot be written; the ones before them are still whole.
    """
    tensors: dict[str, Tensor] = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
    content = save(tensors)
    _write(run / BEST, content)
    return hashlib.sha256(content).hexdigest()


def load_best(run: Path, model: MCSE, digest: str) -> None:
    """Put the best weights into the model.

    Raises:
        TrainingError: the file is missing or is not what was written.
    """
    path = run / BEST
    try:
        content = path.read_bytes()
        if hashlib.sha256(content).hexdigest() != digest:
            raise TrainingError(f"{path}: its SHA-256 is not the one the run wrote. Restore the file, or train again.")
        model.load_state_dict(load(content))
    except (OSError, SafetensorError, RuntimeError) as error:
        raise TrainingError(f"{path}: cannot be read ({error}). Restore the file, or train again.") from error


def _checked(path: Path) -> bytes:
    """The content of a file that ends with its SHA-256: torch itself reads a damaged one without a word."""
    content, digest = (whole := path.read_bytes())[:-_DIGEST], whole[-_DIGEST:]
    if hashlib.sha256(content).digest() != digest:
        raise TrainingError(
            f"{path}: cannot be resumed from, its SHA-256 is not the one it was written with. Restore the "
            "file, or start again in another --output."
        )
    return content


def _write(path: Path, content: bytes) -> None:
    try:
        write_durably(path, content)
    except OSError as error:
        raise TrainingError(
            f"{path}: cannot be written ({error.strerror}). What was saved before is whole. Make room and go on "
            "with --resume."
        ) from error
