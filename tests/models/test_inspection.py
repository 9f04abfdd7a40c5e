import json
from pathlib import Path
from typing import Any

import pytest
import torch

from models.errors import CheckpointError
from models.inspection import MOST_BYTES, inspect_directory, require_held


def config(directory: Path, **settings: Any) -> Path:
    (directory / "config.json").write_text(json.dumps({"hidden_size": 32, "num_hidden_layers": 2, **settings}))
    return directory


def test_a_directory_of_the_usual_settings_passes(tiny_base: Path, tiny_bundle: Path, tmp_path: Path) -> None:
    inspect_directory(tiny_base)
    inspect_directory(tiny_bundle)
    inspect_directory(tmp_path)


@pytest.mark.parametrize(
    ("name", "value"),
    [("num_hidden_layers", 1_001), ("depths", [3, 5_000]), ("vocab_size", 1 << 33), ("hidden_size", -1)],
)
def test_a_number_that_cannot_be_meant_is_named(tmp_path: Path, name: str, value: Any) -> None:
    with pytest.raises(CheckpointError, match=rf"config\.json: its {name} is not from"):
        inspect_directory(config(tmp_path, **{name: value}))


def test_a_number_is_found_however_deep_it_is(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="its num_layers is not from 0 to 1000"):
        inspect_directory(config(tmp_path, vision_config={"towers": [{"num_layers": 10**6}]}))


@pytest.mark.parametrize("settings", [{"pad_token_id": -1}, {"scale": 1e30}, {"use_layers": True}, {"layers": None}])
def test_numbers_that_are_usual_pass(tmp_path: Path, settings: dict[str, Any]) -> None:
    inspect_directory(config(tmp_path, **settings))


def test_huge_settings_are_refused_without_being_read(tmp_path: Path) -> None:
    with (tmp_path / "vocab.txt").open("wb") as file:
        file.truncate(MOST_BYTES + 1)
    with pytest.raises(CheckpointError, match=r"vocab\.txt: \d+ bytes of settings"):
        inspect_directory(tmp_path)


def test_a_token_of_a_number_that_no_vocabulary_has_is_refused(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text(json.dumps({"model": {"vocab": {"a": 0, "b": 1 << 30}}}))
    with pytest.raises(CheckpointError, match="a token has a number that is not from 0 to"):
        inspect_directory(tmp_path)


def test_a_network_with_more_numbers_than_the_files_have_bytes_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(bytes(100))
    require_held(tmp_path, torch.nn.Linear(9, 10))
    with pytest.raises(CheckpointError, match="has 110 numbers, and its files of weights 100 bytes"):
        require_held(tmp_path, torch.nn.Linear(10, 10))


def test_a_pooler_need_not_be_in_the_files(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(bytes(100))
    require_held(tmp_path, torch.nn.ModuleDict({"pooler": torch.nn.Linear(100, 100), "dense": torch.nn.Linear(9, 10)}))
