"""The state of a run on disk: enough to go on as if it had never stopped, whole or absent."""

import io
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from models.files import write_durably
from models.mcse import MCSE
from training.errors import TrainingError

STATE = "state.pt"
BEST = "best.safetensors"


@dataclass(slots=True)
class Progress:
    """How far a run is."""

    step: int = 0
    """Steps done."""
    best_step: int = -1
    """Steps done when the best dev score was found; -1 before the first evaluation."""
    best_score: float = field(default=float("-inf"))
    """Spearman x 100 on STS-B dev."""


def save_state(run: Path, model: MCSE, optimizer: Optimizer, rates: LRScheduler, progress: Progress) -> None:
    """Write model, optimizer, progress and random state as one file."""
    buffer = io.BytesIO()
    state = {
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "rates": rates.state_dict(),
        "progress": asdict(progress),
        "random": torch.get_rng_state(),
        "cuda_random": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
    }
    torch.save(state, buffer)
    write_durably(run / STATE, buffer.getvalue())


def load_state(run: Path, model: MCSE, optimizer: Optimizer, rates: LRScheduler) -> Progress:
    """Put a run back to where `save_state` left it.

    Raises:
        TrainingError: there is no state, or it does not fit the configuration.
    """
    path = run / STATE
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        rates.load_state_dict(state["rates"])
        torch.set_rng_state(state["random"])
        if torch.cuda.is_available():
            torch.cuda.set_rng_state_all(state["cuda_random"])
        return Progress(**state["progress"])
    except FileNotFoundError as error:
        raise TrainingError(f"{path}: nothing to resume; start the run without --resume.") from error
    except Exception as error:  # torch raises many kinds for a damaged file; the caller is told which file
        raise TrainingError(f"{path}: cannot be resumed from ({error}). Start again in another --output.") from error


def save_best(run: Path, model: MCSE) -> None:
    """Keep the weights of the best evaluation."""
    tensors: dict[str, Tensor] = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
    write_durably(run / BEST, save(tensors))


def load_best(run: Path, model: MCSE) -> None:
    """Put the best weights into the model."""
    model.load_state_dict(load_file(run / BEST))
