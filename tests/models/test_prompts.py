import json
from pathlib import Path
from shutil import copytree

import pytest

from models import CheckpointError, load
from models.prompts import FILE, Prompts, read_prompts


def write(directory: Path, **settings: object) -> Path:
    (directory / FILE).write_text(json.dumps(settings))
    return directory


def test_prompts_are_those_of_the_settings_of_sentence_transformers(tmp_path: Path) -> None:
    named = {"query": "query: ", "passage": "passage: "}
    directory = write(tmp_path, prompts=named, default_prompt_name="passage", similarity_fn_name="cosine")
    assert read_prompts(directory) == Prompts(named, "passage")


@pytest.mark.parametrize("settings", [{}, {"prompts": None}, {"prompts": {}, "default_prompt_name": None}])
def test_settings_without_prompts_have_none(tmp_path: Path, settings: dict[str, object]) -> None:
    assert read_prompts(write(tmp_path, **settings)) == Prompts({}, None)


def test_a_prompt_that_is_null_is_empty(tmp_path: Path) -> None:
    assert read_prompts(write(tmp_path, prompts={"query": None})).named == {"query": ""}


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"prompts": ["query: "]}, "not an object of names and texts"),
        ({"prompts": {"query": 5}}, "not an object of names and texts"),
        ({"prompts": {"query": ""}, "default_prompt_name": "document"}, "none of its prompts"),
        ({"prompts": {"query": ""}, "default_prompt_name": 5}, "none of its prompts"),
        ({"prompts": {"query": ""}, "default_prompt_name": ["query"]}, "none of its prompts"),
        ({"prompts": {"query": "q" * 4097}}, "more than 4096 characters"),
    ],
)
def test_foreign_prompts_are_named(tmp_path: Path, settings: dict[str, object], told: str) -> None:
    with pytest.raises(CheckpointError, match=told):
        read_prompts(write(tmp_path, **settings))


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text("{")
    with pytest.raises(CheckpointError, match=FILE):
        read_prompts(tmp_path)


def test_a_checkpoint_knows_its_prompts_and_keeps_its_fingerprint(tmp_path: Path, tiny_base: Path) -> None:
    plain = load(tiny_base)
    directory = copytree(tiny_base, tmp_path / tiny_base.name)
    named = {"query": "search: "}
    prompted = load(write(directory, prompts=named, default_prompt_name="query"))
    assert (plain.prompts, plain.default_prompt_name) == ({}, None)
    assert (prompted.prompts, prompted.default_prompt_name) == (named, "query")
    assert prompted.fingerprint == plain.fingerprint
