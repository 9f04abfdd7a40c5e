from pathlib import Path
from typing import Any

import pytest

from training.config import load_config, parse_config
from training.errors import ConfigError

ROOT = Path(__file__).parents[3]
CONFIGS = sorted((ROOT / "configs").glob("*.toml"))


def tables(**changes: dict[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = {
        "model": {"base": "tiny"},
        "data": {"text": "t.txt", "captions": "c.txt", "features": "f.npz"},
    }
    for table, settings in changes.items():
        made.setdefault(table, {}).update(settings)
    return made


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_committed_config_loads(path: Path) -> None:
    load_config(path)


PUBLISHED = [
    # base, data, framework, batch, rate, epochs, lambda: the original's scripts, for RoBERTa what later work states
    ("bert", "wiki", "simcse", 64, 3e-5, 3, None),
    ("bert", "wiki_flickr", "mcse", 64, 3e-5, 3, 0.01),
    ("bert", "wiki_coco", "mcse", 64, 3e-5, 3, 0.01),
    ("bert", "flickr", "mcse", 64, 3e-5, 6, 0.05),
    ("bert", "coco", "mcse", 64, 3e-5, 3, 0.05),
    ("roberta", "wiki", "simcse", 128, 1e-5, 3, None),
    ("roberta", "wiki_flickr", "mcse", 128, 1e-5, 3, 0.01),
    ("roberta", "wiki_coco", "mcse", 128, 1e-5, 3, 0.01),
    ("roberta", "flickr", "mcse", 128, 1e-5, 6, 0.05),
    ("roberta", "coco", "mcse", 128, 1e-5, 3, 0.05),
    ("minilm", "wiki", "simcse", 64, 3e-5, 3, None),
    ("minilm", "wiki_flickr", "mcse", 64, 3e-5, 3, 0.01),
    ("minilm", "wiki_coco", "simcse", 64, 3e-5, 3, None),
    ("minilm", "flickr", "mcse", 64, 3e-5, 6, 0.05),
    ("minilm", "coco", "simcse", 64, 3e-5, 3, None),
]


@pytest.mark.parametrize("published", PUBLISHED, ids=lambda row: f"{row[1]} {row[0]}")
def test_published_settings_are_the_papers(published: tuple[str, str, str, int, float, int, float | None]) -> None:
    """Pitfall 4: the published scripts decide, not the original's defaults, which contradict them."""
    base, data, framework, batch, rate, epochs, weight = published
    config = load_config(ROOT / "configs" / f"{data}_{base}.toml")
    assert (config.objective.framework, config.schedule.batch_size) == (framework, batch)
    assert (config.optimizer.learning_rate, config.schedule.epochs) == (rate, epochs)
    assert weight is None or config.objective.grounding_weight == weight
    assert (config.objective.temperature, config.optimizer.epsilon, config.optimizer.weight_decay) == (0.05, 1e-6, 0)
    assert (config.model.pooling, config.model.mlp_head, config.model.projection) == ("cls", True, 256)
    assert (config.evaluation.every, config.evaluation.keep, config.data.max_tokens) == (125, "best", 32)
    assert (data.startswith("wiki"), "flickr" in data or "coco" in data) == (
        config.data.text is not None,
        config.data.captions is not None,
    )


def test_the_shipped_checkpoints_configuration_is_among_them() -> None:
    assert {"mcse_minilm_l6", "tiny_cpu", "short_minilm"} <= {path.stem for path in CONFIGS}


def test_defaults_are_the_papers() -> None:
    config = parse_config(tables(), source="x")
    assert (config.objective.temperature, config.objective.grounding_temperature) == (0.05, 0.05)
    assert (config.optimizer.learning_rate, config.optimizer.epsilon, config.optimizer.clip_norm) == (3e-5, 1e-6, 1.0)
    assert (config.schedule.batch_size, config.schedule.epochs, config.evaluation.every) == (64, 3, 125)
    assert (config.model.pooling, config.model.projection, config.data.max_tokens) == ("cls", 256, 32)
    assert config.objective.grounding_weight == 0.01
    assert config.objective.anchor_weight == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model": {"bse": "x"}}, r"\[model\]: unknown setting 'bse'"),
        ({"optimiser": {}}, "unknown setting 'optimiser'"),
        ({"run": {"seed": "1"}}, "run.seed is '1'; expected int"),
        ({"run": {"seed": True}}, "run.seed is True; expected int"),
        ({"model": {"pooling": "max"}}, "model.pooling is 'max'; expected one of 'cls', 'cls_mlp'"),
        ({"optimizer": {"learning_rate": 0}}, "optimizer.learning_rate must be a number above 0"),
        ({"optimizer": {"learning_rate": float("nan")}}, "optimizer.learning_rate must be a number above 0"),
        ({"objective": {"temperature": -0.05}}, "objective.temperature must be a number above 0"),
        ({"objective": {"grounding_weight": -1}}, "objective.grounding_weight must be a number from 0"),
        ({"objective": {"anchor_weight": float("nan")}}, "objective.anchor_weight must be a number from 0"),
        ({"schedule": {"pair_every": 0}}, "schedule.pair_every must be a number above 0"),
        ({"optimizer": {"head_learning_rate": 0}}, "optimizer.head_learning_rate must be a number above 0"),
        ({"evaluation": {"blend": 0}}, "evaluation.blend must be above 0 and at most 1"),
        ({"evaluation": {"blend": 1.5}}, "evaluation.blend must be above 0 and at most 1"),
        ({"model": {"image_dropout": 1.0}}, "model.image_dropout must be from 0 to below 1"),
        ({"schedule": {"batch_size": 1}}, "schedule.batch_size must be at least 2"),
        ({"schedule": {"max_steps": 0}}, "schedule.max_steps must be a number above 0"),
        ({"schedule": {"max_steps": 5}, "optimizer": {"warmup_steps": 5}}, "warmup_steps must be below schedule.max"),
    ],
)
def test_a_setting_that_is_wrong_is_named(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_config(tables(**change), source="run.toml")


@pytest.mark.parametrize(
    ("data", "change", "names"),
    [
        ({}, {"objective": {"framework": "simcse"}}, ["data.text", "data.captions"]),
        ({"text": "t"}, {}, ["objective.framework", "data.captions"]),
        ({"text": "t", "captions": "c"}, {}, ["objective.framework", "data.features"]),
        ({"text": "t"}, {"objective": {"framework": "simcse"}, "schedule": {"pair_every": 2}}, ["schedule.pair_every"]),
        ({"captions": "c", "features": "f"}, {"schedule": {"pair_every": 2}}, ["schedule.pair_every", "data.text"]),
    ],
)
def test_settings_that_contradict_are_named_together(
    data: dict[str, Any], change: dict[str, Any], names: list[str]
) -> None:
    with pytest.raises(ConfigError) as error:
        parse_config({"model": {"base": "x"}, "data": data, **change}, source="run.toml")
    assert all(name in str(error.value) for name in [*names, "run.toml"])


def test_a_missing_table_or_base_is_named() -> None:
    with pytest.raises(ConfigError, match=r"\[data\] is missing"):
        parse_config({"model": {"base": "x"}}, source="x")
    with pytest.raises(ConfigError, match=r"\[model\].*base"):
        parse_config({"model": {}, "data": {"text": "t"}}, source="x")


def test_a_file_that_is_no_toml_or_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.toml: there is no such file"):
        load_config(tmp_path / "none.toml")
    (tmp_path / "bad.toml").write_text("[model\n")
    with pytest.raises(ConfigError, match=r"bad\.toml: not readable as TOML"):
        load_config(tmp_path / "bad.toml")


@pytest.mark.parametrize(
    ("change", "names"),
    [
        ({"data": {"supervised": "s.csv"}}, ["data.supervised", "data.text"]),
        ({"data": {"text": None, "text_column": "x"}}, ["data.text_column", "data.text"]),
        ({"data": {"captions": None}}, ["data.features", "data.captions"]),
        ({"data": {"captions": None, "features": None, "split": "s"}}, ["data.split", "data.captions"]),
        (
            {"data": {"captions": None, "features": None}, "ablation": {"pairs": 5}},
            ["ablation.pairs", "data.captions"],
        ),
        (
            {"objective": {"framework": "simcse"}, "ablation": {"images": "shuffled"}},
            ["ablation.images", "objective.framework"],
        ),
        ({"model": {"pooling": "cls_mlp", "mlp_head": False}}, ["model.pooling", "model.mlp_head"]),
        ({"model": {"dropout": 0.0}}, ["model.dropout", "objective.text_weight"]),
        (
            {"schedule": {"chunk_size": 8}, "objective": {"mlm_weight": 0.1}},
            ["schedule.chunk_size", "objective.mlm_weight"],
        ),
        (
            {"evaluation": {"blend": 0.5}, "optimizer": {"ema_decay": 0.9}},
            ["evaluation.blend", "optimizer.ema_decay"],
        ),
        ({"evaluation": {"captions": "c"}}, ["evaluation.captions", "evaluation.features"]),
        ({"evaluation": {"split": "s"}}, ["evaluation.split", "evaluation.captions"]),
        (
            {
                "data": {"captions": None, "features": None},
                "objective": {"framework": "simcse"},
                "schedule": {"pair_batch_size": 8},
            },
            ["schedule.pair_batch_size", "data.captions"],
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_settings_that_contradict_each_other_are_refused_with_both_names(
    change: dict[str, dict[str, Any]], names: list[str]
) -> None:
    made = tables(**change)
    for section in made.values():
        for key in [key for key, value in section.items() if value is None]:
            del section[key]
    with pytest.raises(ConfigError) as refused:
        parse_config(made, source="run.toml")
    for name in names:
        assert name in str(refused.value)
