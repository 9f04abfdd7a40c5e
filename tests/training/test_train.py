"""Whole runs in a tiny world: they learn, they stop and go on, and they refuse what cannot work."""

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from sentence_transformers import SentenceTransformer

from models import load
from training import train as module
from training.config import TrainConfig
from training.data.pairs import open_pairs
from training.errors import ConfigError, DataError, TrainingError
from training.evaluation.retrieval import text_to_image
from training.progress import Display
from training.train import Result, train

Make = Callable[..., TrainConfig]


@pytest.fixture
def display() -> Display:
    return Display(quiet=True)


def run(config: TrainConfig, world: Path, output: Path, display: Display, *, resume: bool = False) -> Result:
    result = train(config, output=output, data=world, resume=resume, display=display)
    assert result is not None
    return result


def records(output: Path) -> list[dict[str, Any]]:
    """What was measured, but for the time it took."""
    lines = (output / "metrics.jsonl").read_text().splitlines()
    return [{key: value for key, value in json.loads(line).items() if key != "seconds"} for line in lines]


def saved_step(output: Path) -> int:
    state = torch.load(output / "state.pt", weights_only=True)
    return int(state["progress"]["step"])


def retrieval(bundle: Path, config: TrainConfig, world: Path) -> float:
    """Recall@1 of the training captions among the training images."""
    pairs = open_pairs(config.data, config.ablation, world, seed=0, with_images=True)
    model = load(bundle)
    assert pairs.features is not None
    from training.evaluation.evaluator import Evaluator

    vectors = Evaluator(model.model, model.tokenizer, world).encode([names[0] for names in pairs.captions])
    assert model.model.grounding is not None
    sentences = model.model.grounding(torch.from_numpy(vectors)).numpy()
    images = model.model.project_images(torch.from_numpy(pairs.features.astype(np.float32))).numpy()
    return text_to_image(sentences @ images.T, np.arange(len(images)))["recall@1"]


def test_it_learns_which_caption_belongs_to_which_image(
    tiny_run: Make, world: Path, tmp_path: Path, display: Display
) -> None:
    config = tiny_run(schedule={"batch_size": 25, "max_steps": 300}, evaluation={"every": 100, "keep": "last"})
    result = run(config, world, tmp_path / "run", display)
    assert retrieval(result.bundle, config, world) > 90


def test_text_alone_leaves_retrieval_at_chance(tiny_run: Make, world: Path, tmp_path: Path, display: Display) -> None:
    untrained = tiny_run(
        objective={"grounding_weight": 0.0}, schedule={"batch_size": 25, "max_steps": 60}, evaluation={"every": 60}
    )
    result = run(untrained, world, tmp_path / "run", display)
    assert retrieval(result.bundle, untrained, world) < 20


def test_a_run_leaves_config_metrics_and_a_bundle_with_its_scores(
    tiny_run: Make, world: Path, tmp_path: Path, display: Display
) -> None:
    config = tiny_run()
    result = run(config, world, tmp_path / "run", display)
    assert json.loads((tmp_path / "run" / "config.json").read_text()) == json.loads(json.dumps(config.to_dict()))
    logged = records(tmp_path / "run")
    steps = [record for record in logged if "loss" in record]
    assert [record["step"] for record in steps] == list(range(1, 13))
    assert [record["kind"] for record in steps[:3]] == ["pair", "text", "pair"]
    assert ["grounding" in record for record in steps[:2]] == [True, False]
    assert [record["step"] for record in logged if "dev" in record] == [4, 8, 12]
    card = load(result.bundle).card
    assert card["scores"] == result.scores.to_dict()
    assert set(result.scores.sts) == {"STS12", "STS13", "STS14", "STS15", "STS16", "STSB", "SICKR"}
    assert f"{result.scores.sts_average:.2f}" in (result.bundle / "README.md").read_text()


def test_the_best_evaluation_is_what_is_exported(tiny_run: Make, world: Path, tmp_path: Path, display: Display) -> None:
    result = run(tiny_run(), world, tmp_path / "run", display)
    best = load_file(tmp_path / "run" / "best.safetensors")
    for name, tensor in load(result.bundle).model.state_dict().items():
        torch.testing.assert_close(tensor, best[name], rtol=0, atol=0)


def test_a_blend_lies_between_the_start_and_what_was_trained(
    tiny_run: Make, world: Path, tmp_path: Path, display: Display, tiny_base: Path
) -> None:
    result = run(tiny_run(evaluation={"blend": 0.25}), world, tmp_path / "run", display)
    start, trained = load(tiny_base).model, load_file(tmp_path / "run" / "best.safetensors")
    for name, tensor in load(result.bundle).model.state_dict().items():
        before = start.state_dict().get(name)
        expected = trained[name] if before is None else 0.25 * trained[name] + 0.75 * before
        torch.testing.assert_close(tensor, expected)


def test_half_precision_scores_are_those_of_the_weights_on_disk(
    tiny_run: Make, world: Path, tmp_path: Path, display: Display
) -> None:
    from training.evaluation.evaluator import Evaluator

    result = run(tiny_run(run={"export_precision": "float16"}), world, tmp_path / "run", display)
    checkpoint = load(result.bundle)
    again = Evaluator(checkpoint.model, checkpoint.tokenizer, world).all()
    assert again.to_dict() == result.scores.to_dict()
    peer = SentenceTransformer(str(result.bundle), device="cpu")
    ours = Evaluator(checkpoint.model, checkpoint.tokenizer, world).encode(["a red dog", "snow"])
    np.testing.assert_allclose(peer.encode(["a red dog", "snow"]), ours, atol=1e-5)


def test_simcse_sees_the_same_captions_without_their_images(
    tiny_run: Make, world: Path, tmp_path: Path, display: Display
) -> None:
    config = tiny_run(objective={"framework": "simcse"})
    result = run(config, world, tmp_path / "run", display)
    checkpoint = load(result.bundle)
    assert checkpoint.grounded_dimension is None
    logged = records(tmp_path / "run")
    assert [record["kind"] for record in logged[:2]] == ["pair", "text"]
    assert not any("grounding" in record for record in logged)


@pytest.mark.parametrize("stop_after", [1, 5, 8])
def test_a_run_that_stopped_goes_on_to_the_same_bits(
    tiny_run: Make, world: Path, tmp_path: Path, display: Display, stop_after: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = run(tiny_run(), world, tmp_path / "whole", display)
    taken = 0

    def step_then_interrupt(*arguments: Any) -> Any:
        nonlocal taken
        taken += 1
        if taken == stop_after:
            signal.raise_signal(signal.SIGINT)
        return take_step(*arguments)

    take_step = module.take_step
    monkeypatch.setattr(module, "take_step", step_then_interrupt)
    stopped = train(tiny_run(), output=tmp_path / "parts", data=world, resume=False, display=display)
    assert stopped is None
    resumed = run(tiny_run(), world, tmp_path / "parts", display, resume=True)
    assert taken == 12
    for name in ("bundle/model.safetensors", "bundle/heads.safetensors"):
        assert (tmp_path / "parts" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name
    assert records(tmp_path / "parts") == records(tmp_path / "whole")
    assert resumed.progress.best_step == whole.progress.best_step


def test_a_second_run_does_not_overwrite_the_first(
    tiny_run: Make, world: Path, tmp_path: Path, display: Display
) -> None:
    run(tiny_run(), world, tmp_path / "run", display)
    with pytest.raises(TrainingError, match=r"a run is there already.*--resume"):
        run(tiny_run(), world, tmp_path / "run", display)
    with pytest.raises(TrainingError, match=r"other settings \(run\.seed\)"):
        run(tiny_run(run={"seed": 7}), world, tmp_path / "run", display, resume=True)


def test_resuming_nothing_or_rubbish_is_refused(tiny_run: Make, world: Path, tmp_path: Path, display: Display) -> None:
    with pytest.raises(TrainingError, match="nothing to resume"):
        run(tiny_run(), world, tmp_path / "none", display, resume=True)
    run(tiny_run(), world, tmp_path / "run", display)
    (tmp_path / "run" / "state.pt").write_bytes(b"rubbish")
    with pytest.raises(TrainingError, match="cannot be resumed"):
        run(tiny_run(), world, tmp_path / "run", display, resume=True)


def test_a_loss_that_is_not_finite_stops_the_run_and_keeps_the_last_state(
    tiny_run: Make, world: Path, tmp_path: Path, display: Display, monkeypatch: pytest.MonkeyPatch
) -> None:
    from training.objective import losses, objective

    real = losses.simcse_loss
    calls = 0

    def poisoned(*arguments: Any) -> Any:
        nonlocal calls
        calls += 1
        return real(*arguments) * (float("nan") if calls == 7 else 1.0)

    monkeypatch.setattr(objective, "simcse_loss", poisoned)
    with pytest.raises(TrainingError, match=r"the loss of pair batch 3 \(batch 6 of the run\) is nan"):
        run(tiny_run(), world, tmp_path / "run", display)
    assert saved_step(tmp_path / "run") == 6
    monkeypatch.setattr(objective, "simcse_loss", real)
    assert run(tiny_run(), world, tmp_path / "run", display, resume=True).progress.step == 12
    run(tiny_run(), world, tmp_path / "whole", display)
    assert records(tmp_path / "run") == records(tmp_path / "whole")


def test_what_does_not_fit_is_refused_before_the_first_step(
    tiny_run: Make, world: Path, tmp_path: Path, display: Display
) -> None:
    with (world / "text.txt").open("a") as file:
        file.write("\n")
    with pytest.raises(DataError, match="the line is empty"):
        run(tiny_run(), world, tmp_path / "a", display)
    assert (tmp_path / "a" / "metrics.jsonl").read_text() == ""
    with pytest.raises(ConfigError, match="warmup_steps"):
        run(
            tiny_run(
                data={"text": None},
                schedule={"pair_every": None, "epochs": 1, "max_steps": None},
                optimizer={"warmup_steps": 99},
            ),
            world,
            tmp_path / "b",
            display,
        )


def test_a_line_without_tokens_is_named_before_the_first_step(
    tiny_run: Make, world: Path, tmp_path: Path, display: Display
) -> None:
    with (world / "text.txt").open("a") as file:
        file.write("\u200b\n")
    with pytest.raises(DataError, match=r"text\.txt, line 193: the text has no content"):
        run(tiny_run(), world, tmp_path / "run", display)


def test_evaluation_data_that_is_missing_is_told_before_the_first_step(
    tiny_run: Make, world: Path, tmp_path: Path, display: Display
) -> None:
    (world / "sts" / "SICK" / "SICK_test_annotated.txt").unlink()
    with pytest.raises(DataError, match="SICK_test_annotated"):
        run(tiny_run(), world, tmp_path / "run", display)
    assert (tmp_path / "run" / "metrics.jsonl").read_text() == ""


def test_early_stopping_ends_a_run_that_no_longer_improves(
    tiny_run: Make, world: Path, tmp_path: Path, display: Display
) -> None:
    config = tiny_run(optimizer={"learning_rate": 1e-12}, evaluation={"every": 2, "patience": 2})
    assert run(config, world, tmp_path / "run", display).progress.step == 6  # the best at 2, then nothing better


def test_the_average_of_the_weights_is_what_is_scored_and_exported(
    tiny_run: Make, world: Path, tmp_path: Path, display: Display, tiny_base: Path
) -> None:
    still = tiny_run(optimizer={"ema_decay": 0.999999}, evaluation={"keep": "last"})
    bundle = run(still, world, tmp_path / "still", display).bundle
    start, found = load(tiny_base).model.state_dict(), load(bundle).model.state_dict()
    for name, tensor in start.items():
        torch.testing.assert_close(found[name], tensor, rtol=0, atol=1e-4)
    moved = run(tiny_run(evaluation={"keep": "last"}), world, tmp_path / "moved", display).bundle
    assert any(not torch.allclose(load(moved).model.state_dict()[name], start[name], atol=1e-4) for name in start)


@pytest.mark.parametrize(
    "change",
    [{"model": {"pooling": pooling}} for pooling in ("cls", "cls_mlp", "first_last", "top2")]
    + [
        {"schedule": {"accumulate": 3}},
        {"schedule": {"chunk_size": 5}},
        {"run": {"gradient_checkpointing": True}},
        {"run": {"precision": "bfloat16"}},
        {"run": {"tensorboard": True}},
        {"optimizer": {"layer_decay": 0.8, "head_learning_rate": 1e-2}},
        {"objective": {"mlm_weight": 0.1}},
        {"model": {"dropout": 0.2}},
    ],
    ids=lambda change: str(next(iter(change.values()))),
)
def test_each_option_trains_and_its_bundle_says_the_scores_again(
    tiny_run: Make, world: Path, tmp_path: Path, display: Display, change: dict[str, Any]
) -> None:
    from training.evaluation.evaluator import Evaluator

    result = run(tiny_run(**change), world, tmp_path / "run", display)
    plain = run(tiny_run(), world, tmp_path / "plain", display)
    assert records(tmp_path / "run") != records(tmp_path / "plain") or "run" in change
    checkpoint = load(result.bundle)
    again = Evaluator(checkpoint.model, checkpoint.tokenizer, world).all()
    assert again.sts == pytest.approx(result.scores.sts, abs=1e-3)
    assert plain.progress.step == 12


def test_gradient_checkpointing_changes_no_number(
    tiny_run: Make, world: Path, tmp_path: Path, display: Display
) -> None:
    run(tiny_run(), world, tmp_path / "a", display)
    run(tiny_run(run={"gradient_checkpointing": True}), world, tmp_path / "b", display)
    assert records(tmp_path / "a") == records(tmp_path / "b")


def test_supervised_examples_train_with_pairs_and_with_hard_negatives(
    tiny_run: Make, world: Path, tmp_path: Path, display: Display
) -> None:
    words = ["dog", "cat", "ball", "car"]
    rows = [f"a red {word},the {word} is red,a blue {word}" for word in words * 10]
    (world / "three.csv").write_text("sent0,sent1,hard_neg\n" + "\n".join(rows) + "\n")
    (world / "two.csv").write_text("sent0,sent1\n" + "\n".join(row.rsplit(",", 1)[0] for row in rows) + "\n")
    losses = {}
    for name in ("two", "three"):
        data = {"text": None, "supervised": f"{name}.csv", "captions": None, "features": None}
        config = tiny_run(data=data, objective={"framework": "simcse"}, schedule={"pair_every": None})
        result = run(config, world, tmp_path / name, display)
        losses[name] = records(tmp_path / name)[0]["text"]
        assert result.progress.step == 12
    assert losses["three"] > losses["two"]  # the same batch with more candidates


def test_arms_of_one_seed_see_the_same_text_in_the_same_order_with_the_same_dropout(
    tiny_run: Make, world: Path, tmp_path: Path, display: Display
) -> None:
    """Pitfall 5: the ablations act in mixed training too; pitfall 10: runs of one seed are comparable pair by pair."""
    arms = {
        "true": {},
        "shuffled": {"ablation": {"images": "shuffled"}},
        "random": {"ablation": {"images": "random"}},
        "none": {"objective": {"framework": "simcse"}},
    }
    first = {}
    for name, change in arms.items():
        run(tiny_run(**change), world, tmp_path / name, display)
        first[name] = records(tmp_path / name)[0]
    assert len({record["text"] for record in first.values()}) == 1
    assert len({record.get("grounding") for record in first.values()}) == 4


def test_pairs_of_which_none_is_true_have_no_alignment_and_the_report_is_made_all_the_same(
    tiny_run: Make, world: Path, tmp_path: Path, display: Display
) -> None:
    from training.reports.report import write_report

    pairs = [f"{score}\ta red {word}\tthe {word}" for score, word in enumerate(("dog", "cat", "car"))]
    (world / "dev.tsv").write_text("\n".join(pairs) + "\n")
    run(tiny_run(evaluation={"dev": "dev.tsv"}), world, tmp_path / "run", display)
    evaluations = [record for record in records(tmp_path / "run") if "dev" in record]
    assert len(evaluations) == 3
    assert all("alignment" not in record and "uniformity" in record for record in evaluations)
    assert "NaN" not in (tmp_path / "run" / "metrics.jsonl").read_text()
    assert "dev.tsv" in write_report(tmp_path / "run").read_text()


def test_a_place_that_cannot_be_written_is_told(tiny_run: Make, world: Path, tmp_path: Path, display: Display) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(TrainingError, match=r"cannot be written.*Give another --output"):
        run(tiny_run(), world, tmp_path / "file" / "run", display)


def test_a_model_that_cannot_be_exported_is_told_and_exported_by_resuming(
    tiny_run: Make, world: Path, tmp_path: Path, display: Display, monkeypatch: pytest.MonkeyPatch
) -> None:
    import errno

    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("training.export.save_bundle", full)
        with pytest.raises(TrainingError, match=r"bundle: cannot be written.*--resume"):
            run(tiny_run(), world, tmp_path / "run", display)
    assert load(run(tiny_run(), world, tmp_path / "run", display, resume=True).bundle).kind == "bundle"


@pytest.mark.slow
def test_ctrl_c_in_a_terminal_leaves_a_run_that_resumes(world: Path, tiny_base: Path, tmp_path: Path) -> None:
    (tmp_path / "run.toml").write_text(
        f'[model]\nbase = "{tiny_base}"\n[data]\ntext = "text.txt"\ncaptions = "captions.txt"\n'
        'features = "features.npz"\n[schedule]\npair_every = 2\nbatch_size = 16\nepochs = 1000\nmax_steps = 4000\n'
    )
    command = [sys.executable, "-m", "training", "train", str(tmp_path / "run.toml"), "--output", str(tmp_path / "run")]
    process = subprocess.Popen([*command, "--data", str(world)], stderr=subprocess.PIPE, text=True)
    metrics = tmp_path / "run" / "metrics.jsonl"
    while process.poll() is None and (not metrics.exists() or metrics.stat().st_size == 0):
        pass
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "--resume" in told
    assert (tmp_path / "run" / "state.pt").exists()
    shutil.rmtree(tmp_path / "run")
