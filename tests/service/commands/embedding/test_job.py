import sys
from dataclasses import replace
from pathlib import Path

import pytest

from models.vectorizer import Vectorizer
from models.vectors import VectorForm
from service.commands.embedding.job import format_of_output, require_output, require_ray, task_of
from service.commands.errors import CommandError
from tests.service.commands.embedding.conftest import job_of


def test_the_name_tells_the_format() -> None:
    assert [format_of_output(Path(name)) for name in ("a.npy", "b.SAFETENSORS", "c.x.parquet")] == [
        "npy",
        "safetensors",
        "parquet",
    ]
    with pytest.raises(CommandError, match=r"Known are \.npy, \.safetensors, \.parquet"):
        format_of_output(Path("out.bin"))


def test_a_place_that_is_not_there_is_told_of_before_the_work(tmp_path: Path) -> None:
    require_output(tmp_path / "out.npy")
    with pytest.raises(CommandError, match="no such directory to write into"):
        require_output(tmp_path / "none" / "out.npy")


def test_what_ray_cannot_do_is_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray.data", None)
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(CommandError, match=r"pip install '\.\[ray\]'"):
        require_ray(job_of(), tmp_path / "out.parquet", resume=False)
    monkeypatch.setitem(sys.modules, "ray", sys)
    monkeypatch.setitem(sys.modules, "ray.data", sys)
    require_ray(job_of(), tmp_path / "out.parquet", resume=False)
    with pytest.raises(CommandError, match="directory of Parquet"):
        require_ray(job_of(), tmp_path / "out.npy", resume=False)
    with pytest.raises(CommandError, match="Standard input"):
        require_ray(job_of(Path("-")), tmp_path / "out.parquet", resume=False)
    with pytest.raises(CommandError, match="--resume"):
        require_ray(job_of(), tmp_path / "out.parquet", resume=True)


def test_a_task_is_another_one_by_all_that_vectors_depend_on(tmp_path: Path, vectorizer: Vectorizer) -> None:
    (tmp_path / "a.txt").write_text("one\n")
    job, output = job_of(tmp_path / "a.txt"), tmp_path / "out.npy"
    task = task_of(job, output, vectorizer)
    assert task_of(replace(job, rows=99), output, vectorizer) == task  # only how much is done at a time
    others = [
        replace(job, form=VectorForm(dimensions=3)),
        replace(job, form=VectorForm("grounded")),
        replace(job, prompt="the "),
        replace(job, truncate=False),
        replace(job, with_text=True),
        replace(job, options=replace(job.options, text_field="caption")),
    ]
    for other in others:
        assert task_of(other, output, vectorizer) != task
    (tmp_path / "a.txt").write_text("two\n")
    assert task_of(job, output, vectorizer)["files"] != task["files"]
