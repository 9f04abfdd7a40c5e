"""A run's state on disk is whole or absent: killed while saving, on a full disk, or damaged afterwards."""

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from training.build import Trainee, build_trainee
from training.checkpoint import BEST, STATE, Progress, Savable, load_best, load_state, save_best, save_state
from training.config import parse_config
from training.errors import TrainingError
from training.optimizer import build_optimizer

REPOSITORY = Path(__file__).parents[2]
KILLS = int(os.environ.get("TEST_KILLS", "25"))
MUTATIONS = int(os.environ.get("TEST_MUTATIONS", "40"))
SEED = int(os.environ.get("TEST_SEED", "0"))

PARTS = """
import json, os, random, resource, signal, sys, time
from pathlib import Path
import torch
from training.build import build_trainee
from training.checkpoint import Progress, Savable, load_best, load_state, save_best, save_state
from training.config import parse_config
from training.errors import TrainingError
from training.optimizer import build_optimizer

base, output = sys.argv[1], Path(sys.argv[2])
config = parse_config(
    {"model": {"base": base}, "data": {"text": "t"}, "objective": {"framework": "simcse"}}, source="test"
)
trainee = build_trainee(config, image_width=None, device=torch.device("cpu"))
savable = Savable(trainee.trained, *build_optimizer(trainee.trained, config.optimizer, 10), None)

def save(step):  # every weight tells which step it belongs to
    with torch.no_grad():
        for parameter in trainee.trained.parameters():
            parameter.fill_(float(step))
    progress = Progress(step=step, best_step=step, best_digest=save_best(output, trainee.model))
    save_state(output, savable, progress)

def steps_on_disk():
    progress = load_state(output, savable)
    weights = {parameter.flatten()[0].item() for parameter in trainee.trained.parameters()}
    assert weights == {float(progress.step)}, (weights, progress.step)
    return progress.step
"""

KILL = (
    PARTS
    + """
chance, last, kills = random.Random(int(sys.argv[3])), 1, int(sys.argv[4])
save(1)
for _ in range(kills):
    child = os.fork()
    if child == 0:
        step = last
        while True:
            step += 1
            save(step)
    time.sleep(0.01 + chance.random() * 0.1)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    step = steps_on_disk()
    assert step >= last, (step, last)
    last = step
print(json.dumps({"last": last, "files": sorted(path.name for path in output.iterdir())}))
"""
)

FULL = (
    PARTS
    + """
save(1)
soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
try:
    save(2)
except TrainingError as error:
    message = str(error)
resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
print(json.dumps({"message": message, "step": steps_on_disk(), "files": sorted(p.name for p in output.iterdir())}))
"""
)


def program(source: str, *arguments: object) -> dict[str, object]:
    command = [sys.executable, "-c", source, *map(str, arguments)]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr[-3000:]
    answer: dict[str, object] = json.loads(done.stdout)
    return answer


def test_a_kill_while_saving_leaves_the_last_state_or_the_one_before(tiny_base: Path, tmp_path: Path) -> None:
    answer = program(KILL, tiny_base, tmp_path, SEED, KILLS)
    assert isinstance(answer["last"], int)
    assert answer["last"] > 1


def test_a_full_disk_is_told_and_what_was_saved_stays(tiny_base: Path, tmp_path: Path) -> None:
    answer = program(FULL, tiny_base, tmp_path)
    assert "cannot be written" in str(answer["message"])
    assert "--resume" in str(answer["message"])
    assert answer["step"] == 1
    assert answer["files"] == [BEST, STATE]


@pytest.fixture
def saved(tiny_base: Path, tmp_path: Path) -> tuple[Trainee, Savable, str]:
    tables = {"model": {"base": str(tiny_base)}, "data": {"text": "t"}, "objective": {"framework": "simcse"}}
    config = parse_config(tables, source="test")
    trainee = build_trainee(config, image_width=None, device=torch.device("cpu"))
    savable = Savable(trainee.trained, *build_optimizer(trainee.trained, config.optimizer, 10), None)
    digest = save_best(tmp_path, trainee.model)
    save_state(tmp_path, savable, Progress(step=3, best_step=3, best_digest=digest))
    return trainee, savable, digest


def test_damaged_files_are_refused_or_say_the_same(saved: tuple[Trainee, Savable, str], tmp_path: Path) -> None:
    trainee, savable, digest = saved
    before = [parameter.detach().clone() for parameter in trainee.trained.parameters()]
    chance = random.Random(SEED)
    refused = 0
    for name in (STATE, BEST):
        whole = (tmp_path / name).read_bytes()
        for _ in range(MUTATIONS):
            damaged = bytearray(whole)
            for _ in range(chance.randint(1, 4)):
                damaged[chance.randrange(len(damaged))] ^= 1 << chance.randrange(8)
            (tmp_path / name).write_bytes(damaged)
            try:
                load_state(tmp_path, savable) if name == STATE else load_best(tmp_path, trainee.model, digest)
            except TrainingError:
                refused += 1
            else:
                for one, other in zip(before, trainee.trained.parameters(), strict=True):
                    assert torch.equal(one, other), f"TEST_SEED={SEED}: a damaged {name} was believed"
        (tmp_path / name).write_bytes(whole)
    assert refused > MUTATIONS
