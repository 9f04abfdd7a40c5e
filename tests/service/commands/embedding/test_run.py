"""A job from its files to its output, in one go and in many."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pyarrow import parquet
from safetensors import safe_open

from models.text import Tokenized
from models.vectorizer import Vectorizer
from models.vectors import VectorForm
from service.commands.embedding import run
from service.commands.embedding.job import Done, Job
from service.commands.embedding.run import embed_files
from service.commands.errors import CommandError
from service.commands.state import State
from tests.service.commands.embedding.conftest import job_of

WORDS = "dog cat man woman runs sits big small red blue snow beach".split()  # noqa: SIM905
TEXTS = [f"a {WORDS[n % 12]} {WORDS[n * 5 % 11]} {WORDS[n * 7 % 9]}" + " big" * (n % 30) for n in range(100)]


def records(path: Path, bad: Sequence[int] = ()) -> Path:
    """As JSONL: each other one with an id, all with something beside the text."""
    lines = [
        {"text": 5 if n in bad else text, "n": n, "of": "all", **({"id": n} if n % 2 else {})}
        for n, text in enumerate(TEXTS)
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def embed(
    job: Job, output: Path, vectorizer: Vectorizer, *, resume: bool = False, rejected: Path | None = None
) -> Done:
    return embed_files(job, output, vectorizer, resume=resume, rejected=rejected)


@pytest.fixture
def expected(vectorizer: Vectorizer) -> NDArray[np.float32]:
    return np.asarray(vectorizer.encode_tokens(vectorizer.tokenize(TEXTS), VectorForm()))


class Stopping:
    """A model that is there for so many chunks, and then the machine is switched off."""

    def __init__(self, vectorizer: Vectorizer, chunks: int) -> None:
        self._vectorizer = vectorizer
        self._left = chunks

    def __getattr__(self, name: str) -> Any:
        return getattr(self._vectorizer, name)

    def encode_tokens(self, batch: Sequence[Tokenized], form: VectorForm) -> NDArray[Any]:
        self._left -= 1
        if self._left < 0:
            raise KeyboardInterrupt
        return self._vectorizer.encode_tokens(batch, form)


def in_many_goes(job: Job, output: Path, vectorizer: Vectorizer, rejected: Path | None = None) -> Iterator[Done]:
    """Two chunks in each; nothing stands under the output's name before the last one."""
    resume = False
    while True:
        try:
            stopping: Any = Stopping(vectorizer, 2)
            yield embed(job, output, stopping, resume=resume, rejected=rejected)
            return
        except KeyboardInterrupt:
            assert not output.exists()
            resume = True


@pytest.mark.parametrize("name", ["out.npy", "out.safetensors", "out.parquet"])
def test_the_rows_are_the_vectors_of_the_texts(
    tmp_path: Path, vectorizer: Vectorizer, expected: NDArray[np.float32], name: str
) -> None:
    job = job_of(records(tmp_path / "in.jsonl"))
    done = embed(job, tmp_path / name, vectorizer)
    assert (done.rows, done.read, done.rejected) == (100, 100, 0)
    np.testing.assert_allclose(vectors_in(tmp_path / name), expected, atol=1e-6)
    assert done.truncated == sum(text.dropped > 0 for text in vectorizer.tokenize(TEXTS))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.jsonl", name]


def vectors_in(path: Path) -> NDArray[Any]:
    if path.suffix == ".npy":
        return np.asarray(np.load(path))
    if path.suffix == ".parquet":
        return np.array(parquet.read_table(path)["vector"].to_pylist(), np.float32)
    with safe_open(path, framework="np") as file:
        assert file.metadata()["space"] == "sentence"
        return np.asarray(file.get_tensor("vectors"))


@pytest.mark.parametrize("name", ["out.npy", "out.safetensors", "out.parquet"])
def test_a_run_that_is_stopped_again_and_again_ends_as_one_that_was_not(
    tmp_path: Path, vectorizer: Vectorizer, name: str
) -> None:
    (tmp_path / "whole").mkdir()
    files = [records(tmp_path / "a.jsonl", bad=[3, 50]), records(tmp_path / "b.jsonl", bad=[0, 99])]
    job = job_of(*files, metadata=("n",), with_text=True)
    whole = embed(job, tmp_path / "whole" / name, vectorizer, rejected=tmp_path / "whole.jsonl")
    (done,) = in_many_goes(job, tmp_path / name, vectorizer, tmp_path / "rejected.jsonl")
    assert done == whole
    assert (tmp_path / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    assert (tmp_path / "rejected.jsonl").read_text() == (tmp_path / "whole.jsonl").read_text()
    assert len((tmp_path / "whole.jsonl").read_text().splitlines()) == 4


def test_parquet_says_whose_vectors_they_are(tmp_path: Path, vectorizer: Vectorizer) -> None:
    job = job_of(records(tmp_path / "in.jsonl"), metadata=("n", "of"), with_text=True)
    embed(job, tmp_path / "out.parquet", vectorizer)
    table = parquet.read_table(tmp_path / "out.parquet").to_pydict()
    assert table["text"] == TEXTS
    assert table["id"][:4] == ["in.jsonl:1", "1", "in.jsonl:3", "3"]
    assert [json.loads(each) for each in table["metadata"]] == [{"n": n, "of": "all"} for n in range(100)]
    assert table["dropped_tokens"] == [text.dropped for text in vectorizer.tokenize(TEXTS)]


def test_ids_that_are_all_integers_stay_integers(tmp_path: Path, vectorizer: Vectorizer) -> None:
    (tmp_path / "in.jsonl").write_text("".join(f'{{"id": {n}, "text": "a dog"}}\n' for n in range(20)))
    embed(job_of(tmp_path / "in.jsonl"), tmp_path / "out.parquet", vectorizer)
    assert parquet.read_table(tmp_path / "out.parquet")["id"].to_pylist() == [*range(20)]


def test_codes_are_written_as_they_are(tmp_path: Path, vectorizer: Vectorizer) -> None:
    job = job_of(records(tmp_path / "in.jsonl"), form=VectorForm("grounded", quantization="ubinary"))
    for name in ("out.npy", "out.parquet"):
        embed(job, tmp_path / name, vectorizer)
    assert np.load(tmp_path / "out.npy").dtype == np.uint8
    assert np.array_equal(vectors_in(tmp_path / "out.parquet"), np.load(tmp_path / "out.npy"))


def test_a_record_that_cannot_be_embedded_ends_the_run_and_it_goes_on_without_it(
    tmp_path: Path, vectorizer: Vectorizer
) -> None:
    job, output = job_of(records(tmp_path / "in.jsonl", bad=[60])), tmp_path / "out.npy"
    with pytest.raises(
        CommandError, match=r"in\.jsonl, line 61: `text` is an integer.*--rejected FILE.*--resume goes on"
    ):
        embed(job, output, vectorizer)
    assert not output.exists()
    stopping: Any = Stopping(vectorizer, 6)  # chunks are left, of 13
    done = embed(job, output, stopping, resume=True, rejected=tmp_path / "rejected.jsonl")
    assert (done.rows, done.rejected) == (99, 1)
    assert done.examples == [json.loads((tmp_path / "rejected.jsonl").read_text())]


def test_it_goes_on_only_with_the_same_task(tmp_path: Path, vectorizer: Vectorizer, tiny_base: Path) -> None:
    source = records(tmp_path / "in.jsonl")
    job, output = job_of(source), tmp_path / "out.npy"
    stopping: Any = Stopping(vectorizer, 2)
    with pytest.raises(KeyboardInterrupt):
        embed(job, output, stopping)
    with pytest.raises(CommandError, match="another dimensions"):
        embed(replace(job, form=VectorForm(dimensions=4)), output, vectorizer, resume=True)
    with pytest.raises(CommandError, match="another model"):
        embed(job, output, Vectorizer(tiny_base, threads=1, precision="float32"), resume=True)
    source.write_text(source.read_text() + '{"text": "one more"}\n')
    with pytest.raises(CommandError, match="another files"):
        embed(job, output, vectorizer, resume=True)
    assert embed(job, output, vectorizer).rows == 101


def test_a_damaged_state_is_refused(tmp_path: Path, vectorizer: Vectorizer) -> None:
    job, output = job_of(records(tmp_path / "in.jsonl")), tmp_path / "out.npy"
    stopping: Any = Stopping(vectorizer, 2)
    with pytest.raises(KeyboardInterrupt):
        embed(job, output, stopping)
    (tmp_path / "out.npy.partial" / "vectors").write_bytes(b"")
    with pytest.raises(CommandError, match="shorter than the run has left it"):
        embed(job, output, vectorizer, resume=True)


def test_progress_is_saved_on_the_way(tmp_path: Path, vectorizer: Vectorizer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that is killed has no last word."""
    monkeypatch.setattr(run, "_SAVED_EVERY_S", -1.0)
    seen: list[int] = []
    save = State.save_now

    def looking(state: Any, progress: dict[str, Any]) -> None:
        save(state, progress)
        seen.append(progress["rows"])
        size = (tmp_path / "out.npy.partial" / "vectors").stat().st_size
        assert size >= 128 + progress["rows"] * vectorizer.dimension * 4

    monkeypatch.setattr(State, "save_now", looking)
    embed(job_of(records(tmp_path / "in.jsonl")), tmp_path / "out.npy", vectorizer)
    assert seen == [0, *range(8, 100, 8), 100]


def test_no_texts_are_an_empty_matrix(tmp_path: Path, vectorizer: Vectorizer) -> None:
    (tmp_path / "in.txt").write_text("")
    for name, shape in (("out.npy", (0, 32)), ("out.safetensors", (0, 32)), ("out.parquet", (0,))):
        embed(job_of(tmp_path / "in.txt"), tmp_path / name, vectorizer)
        assert vectors_in(tmp_path / name).shape == shape
