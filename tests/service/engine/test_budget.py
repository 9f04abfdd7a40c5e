import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from service.engine.budget import BUDGETS, FILE, WITHIN_S, Budget, Remembered, measure, smallest_close_to_best

RATES = {256: 900, 512: 990, 1024: 1000}


class Machine:
    """Takes a fixed time per batch and one per token; the clock is its own."""

    def __init__(self, batch_s: float, token_s: float) -> None:
        self.now, self._batch_s, self._token_s = 0.0, batch_s, token_s

    def clock(self) -> float:
        return self.now

    def encode(self, batch: Sequence[Sequence[int]]) -> None:
        self.now += self._batch_s + self._token_s * sum(map(len, batch))


def test_the_smallest_that_is_close_to_the_best_is_taken() -> None:
    assert smallest_close_to_best({256: 900, 512: 987, 1024: 1000, 2048: 960}) == 512
    assert smallest_close_to_best({256: 990, 512: 1000}) == 256


def test_a_machine_with_a_cost_per_batch_gets_larger_batches() -> None:
    without, much = Machine(0.0, 1e-6), Machine(1e-3, 1e-6)
    assert measure(without.encode, [0] * 32, clock=without.clock).tokens == 256
    found = measure(much.encode, [0] * 32, clock=much.clock)
    assert found.tokens == 8192
    assert set(found.tokens_per_s) == set(BUDGETS)


@pytest.mark.parametrize("token_s", [1e-6, 1e-4, 1e-2])
def test_it_keeps_to_its_time_but_for_the_smallest_batch(token_s: float) -> None:
    machine = Machine(0.0, token_s)
    found = measure(machine.encode, [0] * 32, clock=machine.clock)
    smallest = 256 * token_s
    assert machine.now <= max(WITHIN_S, smallest) + smallest + 1e-9
    assert 256 in found.tokens_per_s


def test_it_is_remembered(tmp_path: Path, checkpoint: Any, encoder: Any) -> None:
    memory = Remembered(tmp_path, checkpoint, encoder)
    assert memory.read() is None
    memory.write(Budget(512, "measured", RATES))
    assert Remembered(tmp_path, checkpoint, encoder).read() == Budget(512, "remembered", RATES)


def test_another_model_runtime_or_machine_is_measured_anew(tmp_path: Path, checkpoint: Any, encoder: Any) -> None:
    Remembered(tmp_path, checkpoint, encoder).write(Budget(512, "measured", RATES))
    assert Remembered(tmp_path, replace(checkpoint, fingerprint="0" * 64), encoder).read() is None
    content = json.loads((tmp_path / FILE).read_text())
    content["of"]["machine"] = "another"
    (tmp_path / FILE).write_text(json.dumps(content))
    assert Remembered(tmp_path, checkpoint, encoder).read() is None
    encoder.threads = 7
    Remembered(tmp_path, checkpoint, encoder).write(Budget(512, "measured", RATES))
    encoder.threads = 1
    assert Remembered(tmp_path, checkpoint, encoder).read() is None


@pytest.mark.parametrize(
    "damage",
    [b"", b"\xff", b"[]", b"{}", b'{"tokens_per_s": 5}', b'{"of": {}, "tokens_per_s": {"x": 1}}'],
)
def test_a_damaged_file_is_ignored(tmp_path: Path, checkpoint: Any, encoder: Any, damage: bytes) -> None:
    (tmp_path / FILE).write_bytes(damage)
    assert Remembered(tmp_path, checkpoint, encoder).read() is None


@pytest.mark.parametrize("rates", [{}, {"300": 5}, {"256": None}])
def test_numbers_that_cannot_be_are_ignored(tmp_path: Path, checkpoint: Any, encoder: Any, rates: Any) -> None:
    memory = Remembered(tmp_path, checkpoint, encoder)
    memory.write(Budget(512, "measured", RATES))
    content = json.loads((tmp_path / FILE).read_text())
    (tmp_path / FILE).write_text(json.dumps({**content, "tokens_per_s": rates}))
    assert memory.read() is None


def test_a_directory_that_takes_no_file_does_not_stop_the_start(tmp_path: Path, checkpoint: Any, encoder: Any) -> None:
    memory = Remembered(tmp_path / "nowhere", checkpoint, encoder)
    memory.write(Budget(512, "measured", RATES))
    assert memory.read() is None
