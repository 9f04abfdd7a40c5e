from pathlib import Path

import numpy as np
import pytest

from training.errors import DataError
from training.evaluation.tasks import TRANSFER_TASKS, read_task

SIZES = {  # examples of each label, part by part
    "MR": [[5331, 5331]],
    "CR": [[1368, 2407]],
    "SUBJ": [[5000, 5000]],
    "MPQA": [[7294, 3312]],
    "SST2": [[29780, 37569], [428, 444], [912, 909]],
    "TREC": [[86, 1162, 1250, 1223, 835, 896], [9, 138, 94, 65, 81, 113]],
    "MRPC": [[1323, 2753], [578, 1147]],
}


@pytest.mark.data
@pytest.mark.parametrize("name", TRANSFER_TASKS)
def test_every_task_has_its_published_size(data: Path, name: str) -> None:
    parts = read_task(name, data)
    assert [np.bincount(part.labels).tolist() for part in parts] == SIZES[name]
    assert all(len(part.texts) == len(part.labels) for part in parts)
    assert {len(texts) for part in parts for texts in part.texts} == {2 if name == "MRPC" else 1}
    assert all(text for part in parts for texts in part.texts for text in texts)


@pytest.fixture
def files(tmp_path: Path) -> Path:
    folder = tmp_path / "transfer"
    for name in ("MR", "SST/binary", "TREC", "MRPC"):
        (folder / name).mkdir(parents=True)
    (folder / "MR" / "rt-polarity.pos").write_bytes(b"a fine caf\xe9 \n\nyes  indeed\n")
    (folder / "MR" / "rt-polarity.neg").write_text("no way\n")
    for part in ("train", "dev", "test"):
        (folder / "SST" / "binary" / f"sentiment-{part}").write_text('a "quoted joy \t1\nsad\t0\n')
    (folder / "TREC" / "train_5500.label").write_text("NUM:dist How far : is it ?\nABBR:exp What is UN ?\n")
    (folder / "TREC" / "TREC_10.label").write_text("LOC:city Where ?\n")
    for part in ("train", "test"):
        lines = ["Quality\t#1 ID\t#2 ID\t#1 String\t#2 String", '1\t7\t8\tHe said " no .\tNo , he said .']
        (folder / "MRPC" / f"msr_paraphrase_{part}.txt").write_text(
            "\ufeff" + "\n".join(lines) + "\n", encoding="utf-8"
        )
    return tmp_path


def test_examples_are_sorted_by_length_and_label_before_the_folds(files: Path) -> None:
    (part,) = read_task("MR", files)
    assert part.texts == [(".",), ("no way",), ("yes indeed",), ("a fine café",)]  # an empty line becomes a full stop
    assert part.labels.tolist() == [1, 0, 1, 1]


def test_each_form_of_file_is_read(files: Path) -> None:
    assert read_task("SST2", files)[1].texts == [("sad",), ('a "quoted joy',)]
    train, test = read_task("TREC", files)
    assert train.texts == [("What is UN ?",), ("How far : is it ?",)]
    assert train.labels.tolist() == [0, 5]
    assert test.labels.tolist() == [4]
    assert read_task("MRPC", files)[0].texts == [('He said " no .', "No , he said .")]


def test_what_is_missing_or_malformed_is_told(files: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="MCSE_DATA"):
        read_task("MR", tmp_path / "elsewhere")
    with pytest.raises(DataError, match=r"custrev\.pos: cannot be read"):
        read_task("CR", files)
    (files / "transfer" / "TREC" / "train_5500.label").write_text("NUM:dist How ?\nWHO:x Who ?\n")
    with pytest.raises(DataError, match=r"train_5500\.label, line 2: malformed"):
        read_task("TREC", files)
    (files / "transfer" / "SST" / "binary" / "sentiment-dev").write_text("good\t1\nbad\n")
    with pytest.raises(DataError, match="sentiment-dev, line 2: malformed"):
        read_task("SST2", files)
