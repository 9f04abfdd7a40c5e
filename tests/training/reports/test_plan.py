import re
from collections.abc import Callable
from pathlib import Path

import pytest

from training.errors import ConfigError
from training.reports.plan import read_sweep

SweepFile = Callable[..., Path]
GUIDE = Path(__file__).parents[3] / "docs" / "reports.md"
SWEEPS = sorted((Path(__file__).parents[3] / "configs" / "sweeps").glob("*.toml"))

ARMS = """
seeds = [42, 43]
[arms.simcse]
objective.framework = "simcse"
[arms.mcse]
[arms.shuffled]
ablation.images = "shuffled"
"""


def test_all_arms_of_a_seed_come_before_the_next_seed(sweep_file: SweepFile) -> None:
    sweep = read_sweep(sweep_file(ARMS))
    assert (sweep.name, sweep.arms, sweep.seeds) == ("sweep", ("simcse", "mcse", "shuffled"), (42, 43))
    assert [run.name for run in sweep.runs] == [
        "simcse/seed-42",
        "mcse/seed-42",
        "shuffled/seed-42",
        "simcse/seed-43",
        "mcse/seed-43",
        "shuffled/seed-43",
    ]


def test_an_arm_changes_what_it_names_and_nothing_else(sweep_file: SweepFile) -> None:
    runs = {run.name: run.config.to_dict() for run in read_sweep(sweep_file(ARMS)).runs}
    base = runs["mcse/seed-42"]
    assert base["objective"]["grounding_weight"] == 1.0
    assert runs["mcse/seed-43"] == base | {"run": base["run"] | {"seed": 43}}
    assert runs["simcse/seed-42"] == base | {"objective": base["objective"] | {"framework": "simcse"}}
    assert runs["shuffled/seed-42"] == base | {"ablation": base["ablation"] | {"images": "shuffled"}}


def test_an_arm_can_stand_on_another_file(sweep_file: SweepFile, base_file: Callable[..., Path]) -> None:
    base_file(
        "text.toml",
        data={"captions": None, "features": None},
        objective={"framework": "simcse"},
        schedule={"pair_every": None},
    )
    sweep = read_sweep(sweep_file('seeds = [1]\n[arms.text]\nbase = "text.toml"\n[arms.both]\n'))
    assert [run.config.data.captions for run in sweep.runs] == [None, "captions.txt"]


@pytest.mark.parametrize("spelling", ['"ablation.pairs" = [10, 20]', "ablation.pairs = [10, 20]"])
def test_a_grid_multiplies_the_arms(sweep_file: SweepFile, spelling: str) -> None:
    text = (
        f'seeds = [1]\n[arms.mcse]\n[arms.simcse]\nobjective.framework = "simcse"\n'
        f"[grid]\n{spelling}\noptimizer.learning_rate = [1e-3, 1e-4]\n"
    )
    sweep = read_sweep(sweep_file(text))
    assert sweep.arms == tuple(
        f"{arm}-pairs={pairs}-learning_rate={rate}"
        for arm in ("mcse", "simcse")
        for pairs in (10, 20)
        for rate in (0.001, 0.0001)
    )
    last = sweep.runs[-1].config
    assert (last.objective.framework, last.ablation.pairs, last.optimizer.learning_rate) == ("simcse", 20, 1e-4)


def test_without_arms_the_base_is_the_one_arm_and_a_grid_names_its_own(sweep_file: SweepFile) -> None:
    assert read_sweep(sweep_file("seeds = [1]")).arms == ("tiny",)
    assert read_sweep(sweep_file('seeds = [1]\n[grid]\n"data.captions_per_image" = ["one", "all"]')).arms == (
        "captions_per_image=one",
        "captions_per_image=all",
    )


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "seeds must be a list"),
        ("seeds = []", "seeds must be a list"),
        ("seeds = [1, 1]", "seeds must be a list of different"),
        ("seeds = [true]", "seeds must be a list"),
        ("seeds = [1]\nsteps = 3", "unknown setting 'steps'"),
        ("seeds = [1]\n[arms.a]\nobjective.framwork = 'x'", r"arm a: \[objective\]: unknown setting 'framwork'"),
        ("seeds = [1]\n[arms.a]\n[arms.b]\noptimizer.learning_rate = -1", "arm b: optimizer.learning_rate"),
        ("seeds = [1]\n[arms.a]\nrun.seed = 3", "arm a: run.seed is set by an arm"),
        ("seeds = [1]\n[arms.'../up']", "cannot name an arm"),
        ("seeds = [1]\n[arms.a]\nbase = 3", "base must name the TOML file"),
        ("seeds = [1]\n[arms.a]\nbase = 'none.toml'", "none.toml: not readable"),
        ("seeds = [1]\n[arms]\na = 3", "arm a must be a table"),
        ("seeds = [1]\ngrid = 3", "grid must be a table"),
        ("seeds = [1]\n[grid]\npairs = [1]", "pairs must be a setting with a list"),
        ("seeds = [1]\n[grid]\nablation.pairs = 3", "ablation.pairs must be a setting with a list"),
        ("seeds = [1]\n[grid]\nablation.pairs = [1, 1]", "'pairs=1' cannot name an arm"),
        ("seeds = [1]\n[grid]\ndata.captions = ['a/b.txt']", "cannot name an arm"),
        ("seeds = [1", "not readable as TOML"),
    ],
)
def test_what_cannot_be_run_is_told_before_anything_is(sweep_file: SweepFile, text: str, told: str) -> None:
    path = sweep_file(text)
    with pytest.raises(ConfigError, match=told) as raised:
        read_sweep(path)
    assert str(path.parent) in str(raised.value)


def test_the_sweep_files_of_the_guide_can_be_planned(base_file: Callable[..., Path], tmp_path: Path) -> None:
    base_file()
    arms, grid = re.findall(r"```toml\n(.*?)```", GUIDE.read_text(), flags=re.DOTALL)
    (tmp_path / "arms.toml").write_text(arms)
    assert read_sweep(tmp_path / "arms.toml").arms == ("simcse", "mcse", "shuffled")
    (tmp_path / "grid.toml").write_text(f'base = "tiny.toml"\nseeds = [42]\n{grid}')
    assert read_sweep(tmp_path / "grid.toml").arms == ("mcse-pairs=20", "mcse-pairs=35", "mcse-pairs=50")


@pytest.mark.parametrize("path", SWEEPS, ids=lambda path: path.name)
def test_every_sweep_that_comes_with_mcse_can_be_planned(path: Path) -> None:
    assert len(read_sweep(path).runs) > 1


def test_a_sweep_without_a_base_is_refused(tmp_path: Path) -> None:
    (tmp_path / "sweep.toml").write_text("seeds = [1]\n[arms.a]\n")
    with pytest.raises(ConfigError, match="base must name the TOML file"):
        read_sweep(tmp_path / "sweep.toml")
