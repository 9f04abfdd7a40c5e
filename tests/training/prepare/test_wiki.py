import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from training.data.text import read_sentences
from training.errors import DataError
from training.prepare.directory import RECORD, Prepared
from training.prepare.wiki import SENTENCES, WikiOptions, prepare_wiki


def run(source: Path, output: Path, **options: Any) -> Prepared:
    return prepare_wiki(source, output, WikiOptions(**options), list[int]().append)


def sentences(folder: Path) -> list[str]:
    return [sentence for _, sentence in read_sentences(folder / SENTENCES)]


@pytest.fixture
def text(tmp_path: Path) -> Path:
    """A thousand sentences with headings and empty lines between them."""
    path = tmp_path / "wiki.txt"
    path.write_text("".join(f"Heading {n}\n\nThis is sentence number {n} of the text .\n" for n in range(1000)))
    return path


def test_a_run_reads_one_clean_sentence_a_line(text: Path, tmp_path: Path) -> None:
    done = run(text, tmp_path / "out")
    assert sentences(tmp_path / "out") == [f"This is sentence number {n} of the text ." for n in range(1000)]
    assert done.counts == {"sentences": 1000, "dropped": {"empty": 1000, "fewer than 5 words": 1000}}


def test_plain_text_gzip_and_a_folder_give_the_same(text: Path, tmp_path: Path) -> None:
    packed = tmp_path / "wiki.txt.gz"
    packed.write_bytes(gzip.compress(text.read_bytes()))
    folder = tmp_path / "extracted"
    (folder / "AA").mkdir(parents=True)
    lines = text.read_text().splitlines(keepends=True)
    (folder / "AA" / "wiki_00").write_text("".join(lines[:1500]))
    (folder / "AA" / "wiki_01").write_text("".join(lines[1500:]))
    outputs = [tmp_path / name for name in ("plain", "gzip", "folder")]
    for source, output in zip((text, packed, folder), outputs, strict=True):
        run(source, output)
    assert len({(output / SENTENCES).read_bytes() for output in outputs}) == 1


def test_the_same_seed_draws_the_same_bytes_and_another_draws_others(text: Path, tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        done = run(text, tmp_path / name, limit=100, seed=seed)
        assert done.counts["sentences"] == 100
        assert done.counts["dropped"]["not sampled"] == 900
    a, b, c = ((tmp_path / name / SENTENCES).read_bytes() for name in "abc")
    assert a == b
    assert a != c
    drawn = [int(sentence.split()[4]) for sentence in sentences(tmp_path / "a")]
    assert drawn == sorted(set(drawn))
    assert 400 < sum(drawn) / 100 < 600  # from all over the text
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == [RECORD, SENTENCES]


def test_the_whole_text_can_be_the_sample(text: Path, tmp_path: Path) -> None:
    assert run(text, tmp_path / "out", limit=1000).counts["dropped"]["not sampled"] == 0
    with pytest.raises(DataError, match="--limit 1001 asks for more sentences than the 1000 that are left"):
        run(text, tmp_path / "more", limit=1001)
    assert not (tmp_path / "more").exists()


def test_documents_are_split_and_repeats_dropped_where_asked_for(tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_text("One dog runs in snow. Two cats sit in grass.\nOne dog runs in snow.\n")
    done = run(tmp_path / "t.txt", tmp_path / "out", documents=True, deduplicate=True)
    assert sentences(tmp_path / "out") == ["One dog runs in snow.", "Two cats sit in grass."]
    assert done.counts["dropped"] == {"repeated": 1}


def test_the_record_keeps_the_seed_only_where_something_is_drawn(text: Path, tmp_path: Path) -> None:
    run(text, tmp_path / "all", seed=3)
    run(text, tmp_path / "some", seed=3, limit=5)
    assert "seed" not in json.loads((tmp_path / "all" / RECORD).read_text())["options"]
    assert json.loads((tmp_path / "some" / RECORD).read_text())["options"]["seed"] == 3


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        (b"One two three four five.\n\xff\xfe\n", {}, r"t\.txt, line 2: not UTF-8"),
        (b"\n\n", {}, "no sentence is left of it"),
        (b"Too short\n", {}, "no sentence is left of it"),
        (b"One two three four five.\n", {"min_words": 9, "max_words": 3}, "--min-words 9 is above --max-words 3"),
    ],
)
def test_text_that_does_not_fit_is_named(tmp_path: Path, content: bytes, options: dict[str, int], message: str) -> None:
    (tmp_path / "t.txt").write_bytes(content)
    with pytest.raises(DataError, match=message):
        run(tmp_path / "t.txt", tmp_path / "out", **options)
    assert [path.name for path in tmp_path.iterdir()] == ["t.txt"]


def test_gzip_that_was_cut_is_named(text: Path, tmp_path: Path) -> None:
    (tmp_path / "cut.gz").write_bytes(gzip.compress(text.read_bytes())[:-30])
    with pytest.raises(DataError, match=r"cut\.gz: cannot be read"):
        run(tmp_path / "cut.gz", tmp_path / "out")


def test_progress_counts_lines(text: Path, tmp_path: Path) -> None:
    told: list[int] = []
    text.write_text(text.read_text() * 5)
    prepare_wiki(text, tmp_path / "out", WikiOptions(), told.append)
    assert told == [10000, 15000]
