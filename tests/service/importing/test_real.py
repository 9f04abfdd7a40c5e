"""Real files."""

import csv
import gzip
from pathlib import Path

import pytest

from service.importing.files import opened
from service.importing.options import ReadOptions
from service.importing.records import Record

pytestmark = pytest.mark.data


def test_every_sentence_of_a_packed_encyclopedia_is_a_record(data: Path) -> None:
    path = data / "wiki" / "simplewiki_sentences.txt.gz"
    with opened(str(path)) as items:
        texts = [item.text for item in items if isinstance(item, Record)]
    with gzip.open(path, "rt", encoding="utf-8", newline="\n") as lines:
        assert texts == [line.rstrip("\n") for line in lines if line.strip()]


def test_captions_written_as_csv_by_another_hand_are_read(data: Path, tmp_path: Path) -> None:
    source = (data / "flickr8k" / "Flickr8k.token.txt").read_text(encoding="utf-8")
    rows = [line.split("\t") for line in source.splitlines()]
    path = tmp_path / "captions.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["key", "caption"])
        writer.writerows(rows)
    with opened(str(path), options=ReadOptions(id_field="key", text_field="caption")) as items:
        found = [[item.id, item.text] for item in items if isinstance(item, Record)]
    assert found == rows
