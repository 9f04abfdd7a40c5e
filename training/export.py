"""From a trained model to a bundle that the service, transformers and sentence-transformers open."""

from importlib.metadata import version
from typing import Any

import torch

from models.bundle import save_bundle
from models.mcse import MCSE
from training.build import Trainee
from training.card import model_card
from training.checkpoint import Progress
from training.config import TrainConfig
from training.evaluation.evaluator import Evaluator
from training.evaluation.scores import Scores
from training.progress import Display
from training.rundir import RunDirectory


def export(
    config: TrainConfig,
    trainee: Trainee,
    evaluator: Evaluator,
    progress: Progress,
    directory: RunDirectory,
    display: Display,
) -> Scores:
    """Score the model as it will be read back, and write its bundle.

    Returns:
        The scores, which also stand in `scores.json`, `mcse.json` and the model card.
    """
    if config.evaluation.blend < 1:
        blend_encoder(trainee, config.evaluation.blend)
    if config.run.export_precision == "float16":
        round_to_half(trainee.model)
    with display.evaluating() as line:
        scores = evaluator.all(line.on_set)
        line.on_set("the pairs that chose the step")
        card = _facts(config, progress, scores, dev=evaluator.dev().spearman)
    training = {name: card["training"][name] for name in ("steps", "kept_step", "dev")}
    directory.write_scores({**card["scores"], **training, "seconds": progress.seconds})
    save_bundle(
        directory.bundle,
        trainee.model.cpu(),
        tokenizer_from=trainee.base.path,
        card=card,
        readme=model_card(card),
        precision=config.run.export_precision,
    )
    return scores


@torch.no_grad()
def blend_encoder(trainee: Trainee, share: float) -> None:
    """Move every encoder weight towards the untrained start: share x trained + (1 - share) x start."""
    starts = trainee.start.backbone.parameters()
    for trained, start in zip(trainee.model.encoder.backbone.parameters(), starts, strict=True):
        trained.lerp_(start, 1 - share)


@torch.no_grad()
def round_to_half(model: MCSE) -> None:
    """Give every weight the value it has after a trip through half precision."""
    for parameter in model.parameters():
        parameter.copy_(parameter.half().float())


def _facts(config: TrainConfig, progress: Progress, scores: Scores, *, dev: float) -> dict[str, Any]:
    return {
        "base_model": config.model.base,
        "training": {
            "config": config.to_dict(),
            "steps": progress.step,
            "kept_step": progress.best_step if config.evaluation.keep == "best" else progress.step,
            "dev": dev,
            "versions": {name: version(name) for name in ("torch", "transformers")},
        },
        "scores": scores.to_dict(),
    }
