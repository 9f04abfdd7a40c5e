"""Two processes on gloo are one process with the whole batch."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]

PROGRAM = """
import json, sys
from pathlib import Path
import numpy as np
import torch
from training.build import build_trainee
from training.config import ObjectiveConfig, parse_config
from training.data.corpus import Batch
from training.data.tokens import tokenized
from training.objective.encode import GroupedEncoder
from training.objective.objective import Objective
from training.processes import Processes

base, output, chunk = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]) or None
processes = Processes.join()
config = parse_config(
    {"model": {"base": base, "projection": 8}, "data": {"text": "t", "captions": "c", "features": "f"},
     "objective": {"mlm_weight": 0.0}},
    source="test",
)
trainee = build_trainee(config, image_width=12, device=torch.device("cpu"))
trainee.trained.eval()  # dropout is drawn in each process; without it both ways must be equal
words = ["dog", "cat", "ball", "car", "red", "big", "tree"]
texts = [" ".join(words[(i * 3 + n) % 7] for n in range(i % 9 + 1)) for i in range(64)]
store = tokenized(texts, trainee.tokenizer, name="test")
features = np.random.default_rng(0).normal(size=(64, 12)).astype("f4")
batch = Batch((store.column(np.arange(64), 0),), features)
settings = ObjectiveConfig(grounding_weight=0.7, image_to_text=True, anchor_weight=0.5, temperature=0.2)
objective = Objective(
    trainee.model, trainee.tokenizer, settings, GroupedEncoder(trainee.model, 0, False, chunk), processes,
    trainee.start, None,
)
parts = objective.backward(batch.share(processes.rank, processes.world), 0)
processes.sum_gradients(trainee.trained.parameters())
gradient = torch.cat([p.grad.flatten() for p in trainee.trained.parameters() if p.grad is not None])
answer = {"loss": parts["loss"], "world": processes.world, "norm": gradient.norm().item()}
answer["sample"] = gradient[:: max(1, len(gradient) // 500)].tolist()
(output / f"{processes.rank}.json").write_text(json.dumps(answer))
processes.wait()
"""


def launch(count: int, base: Path, output: Path, *, chunk: int = 0) -> list[dict[str, object]]:
    output.mkdir()
    program = output / "program.py"
    program.write_text(PROGRAM)
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={count}"]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(
        [*(launcher if count > 1 else [sys.executable]), str(program), str(base), str(output), str(chunk)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return [json.loads((output / f"{rank}.json").read_text()) for rank in range(count)]


@pytest.mark.slow
@pytest.mark.parametrize("chunk", [0, 8], ids=["at once", "cached"])
def test_two_processes_of_32_are_one_of_64(tiny_base: Path, tmp_path: Path, chunk: int) -> None:
    """Pitfall 8: the original has no gather, so each process would see its own negatives alone."""
    (one,) = launch(1, tiny_base, tmp_path / "one")
    for two in launch(2, tiny_base, tmp_path / "two", chunk=chunk):
        assert two["world"] == 2
        assert two["loss"] == pytest.approx(one["loss"], abs=1e-6)
        assert two["norm"] == pytest.approx(one["norm"], rel=1e-5)
        assert two["sample"] == pytest.approx(one["sample"], abs=1e-6)


@pytest.mark.slow
def test_a_run_of_two_processes_trains_evaluates_once_and_leaves_one_bundle(
    world: Path, tiny_base: Path, tmp_path: Path
) -> None:
    (tmp_path / "run.toml").write_text(
        f'[model]\nbase = "{tiny_base}"\nprojection = 8\n[data]\ntext = "text.txt"\ncaptions = "captions.txt"\n'
        'features = "features.npz"\n[schedule]\npair_every = 2\nbatch_size = 16\nmax_steps = 6\n'
        "[evaluation]\nevery = 3\n"
    )
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "-m", "training"]
    options = ["train", str(tmp_path / "run.toml"), "--output", str(tmp_path / "run"), "--data", str(world)]
    done = subprocess.run(
        [*launcher, *options],
        cwd=REPOSITORY,
        env={**os.environ, "MCSE_CACHE": str(tmp_path / "cache"), "CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
        timeout=180,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    records = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert [record["step"] for record in records if "loss" in record] == [1, 2, 3, 4, 5, 6]
    assert [record["step"] for record in records if "dev" in record] == [3, 6]
    assert (tmp_path / "run" / "bundle" / "mcse.json").exists()
    facts = json.loads((tmp_path / "run" / "environment.json").read_text())
    assert facts["machine"]["processes"] == 2
