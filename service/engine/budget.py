"""How many tokens to encode together: tried out on this machine once, then read from a file.

More at a time fill the cores better, up to a point; beyond it they only let everybody wait longer.
"""

import json
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import structlog

from models.cores import usable_cores
from models.files import read_small, write_durably
from service import __version__
from service.model import Encoder, ServedModel

BUDGETS = (256, 512, 1024, 2048, 4096, 8192)
ROUNDS = 4
WITHIN_S = 0.35
CLOSE_ENOUGH = 0.985  # of the best rate; the smallest budget that reaches it answers soonest
FILE = "batch_tokens.json"
SENTENCE = "A small brown dog runs over the wet grass of the park and carries a red ball to the two children."

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Budget:
    """Tokens of a batch, and why so many."""

    tokens: int
    source: Literal["set", "measured", "remembered"]
    tokens_per_s: Mapping[int, int]
    """What each budget that was tried reached."""

    def told(self) -> dict[str, Any]:
        """For `/info` and the log; JSON has no integers as keys."""
        rates = {str(budget): rate for budget, rate in self.tokens_per_s.items()}
        return {"tokens": self.tokens, "source": self.source, "tokens_per_s": rates}


def measure(
    encode: Callable[[Sequence[Sequence[int]]], object],
    sentence: Sequence[int],
    *,
    clock: Callable[[], float] = time.perf_counter,
) -> Budget:
    """Time `encode` on batches of a usual sentence, for as long as WITHIN_S allows, and in any case on the smallest.

    Of several rounds each budget's best counts, because a busy machine only ever makes it slower.
    """
    batches = {budget: [sentence] * max(1, budget // len(sentence)) for budget in BUDGETS}
    encode(batches[BUDGETS[0]])  # the first one is slow
    seconds: dict[int, float] = {}
    deadline = clock() + WITHIN_S
    for budget in BUDGETS * ROUNDS:
        if seconds and clock() + _expected(seconds, budget) > deadline:
            continue
        started = clock()
        encode(batches[budget])
        seconds[budget] = min(clock() - started, seconds.get(budget, float("inf")))
    rates = {budget: round(len(batches[budget]) * len(sentence) / max(took, 1e-9)) for budget, took in seconds.items()}
    return Budget(smallest_close_to_best(rates), "measured", rates)


def smallest_close_to_best(tokens_per_s: Mapping[int, int]) -> int:
    """The budget to use."""
    enough = CLOSE_ENOUGH * max(tokens_per_s.values())
    return min(budget for budget, rate in tokens_per_s.items() if rate >= enough)


def _expected(seconds: Mapping[int, float], budget: int) -> float:
    """How long a batch will take, by the largest one that was timed where this one was not."""
    if budget in seconds:
        return seconds[budget]
    largest = max(seconds)
    return seconds[largest] * budget / largest


class Remembered:
    """The budget in a file of the data directory. It holds for one machine, runtime and checkpoint.

    The file is only a memory: one that is missing, damaged or of another machine is measured anew.
    """

    def __init__(self, data_dir: Path, model: ServedModel, encoder: Encoder) -> None:
        self._path = data_dir / FILE
        self._of = {
            "release": __version__,
            "machine": f"{_processor()}, {usable_cores()} cores",
            "runtime": f"{encoder.name}, {encoder.threads} threads",
            "fingerprint": model.fingerprint,
        }

    def read(self) -> Budget | None:
        """What is remembered of just this machine, runtime and checkpoint."""
        try:
            content = json.loads(read_small(self._path))
            rates = {int(budget): int(rate) for budget, rate in content["tokens_per_s"].items()}
            if content["of"] != self._of or not rates or not rates.keys() <= set(BUDGETS):
                return None
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError):
            return None
        return Budget(smallest_close_to_best(rates), "remembered", rates)

    def write(self, budget: Budget) -> None:
        """Remember it; a disk that takes nothing is told of in the log, because only the next start is slower."""
        content: dict[str, Any] = {"of": self._of, "tokens_per_s": dict(budget.tokens_per_s)}
        try:
            write_durably(self._path, json.dumps(content, indent=2).encode())
        except OSError as error:
            log.warning("batch_tokens_not_kept", file=str(self._path), reason=error.strerror)


def _processor() -> str:
    """Its model, as Linux or else Python tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
