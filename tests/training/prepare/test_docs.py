"""Every command of docs/data.md is run, on small files of the same names and forms, and says what is printed there."""

import gzip
import json
import re
import shlex
from pathlib import Path

import pytest
import torch
from PIL import Image
from transformers import ConvNextImageProcessorPil, ResNetConfig, ResNetModel
from typer.testing import CliRunner

from training.cli import app

DOCUMENT = (Path(__file__).parents[3] / "docs" / "data.md").read_text()
FLICKR30K = ("1000092795", "10002456", "1000268201")


def blocks() -> list[tuple[str, list[str]]]:
    """(command, printed lines) in the order of the page."""
    text = "".join(re.findall(r"```console\n(.*?)```", DOCUMENT, flags=re.DOTALL))
    parts = [part.splitlines() for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]]
    return [(command, printed) for command, *printed in parts]


def write(path: Path, lines: list[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    content = "".join(f"{line}\n" for line in lines).encode()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)


def write_captions(root: Path) -> None:
    write(root / "results_20130124.token", [f"{n}.jpg#{i}\tcaption {i} of {n}" for n in FLICKR30K for i in range(5)])
    write(root / "train.txt", list(FLICKR30K[:2]))
    entities = root / "Flickr30kEntities"
    write(entities / "train.txt", list(FLICKR30K[:2]))
    for n in FLICKR30K:
        write(entities / "Sentences" / f"{n}.txt", [f"[/EN#1/people A man] number {i} ." for i in range(5)])
    numbered = root / "captions" / "flickr30k"
    for part, numbers in (("train", FLICKR30K), ("val", ("77",))):
        write(numbered / f"{part}_images.txt", [f"{n}.jpg" for n in numbers])
        for i in range(1, 6):
            write(numbered / f"{part}.{i}.en.gz", [f"caption {i} of {n}" for n in numbers])
    write(root / "flickr8k" / "Flickr8k.token.txt", [f"{n}_ab.jpg#{i}\tA dog ." for n in (5, 6) for i in range(5)])
    write(root / "flickr8k" / "Flickr_8k.trainImages.txt", ["5_ab.jpg"])
    write(root / "flickr8k" / "Flickr_8k.testImages.txt", ["1000268201_693b08cb0e.jpg", "6_ab.jpg"])
    for name in ("annotations/captions_train2014.json", "captions/coco-val2017/captions_val2017.json"):
        notes = [{"id": i, "image_id": 1, "caption": f"caption {i}"} for i in range(5)]
        write(root / name, [json.dumps({"images": [{"id": 1, "file_name": "1.jpg"}], "annotations": notes})])


def write_text(root: Path) -> None:
    sentences = [f"This is sentence number {i} of it." for i in range(9)]
    write(root / "simplewiki_sentences.txt.gz", [*sentences, sentences[0]])
    write(root / "extracted" / "AA" / "wiki_00", ['<doc id="1">', " ".join(sentences), "</doc>"])


def write_vision(root: Path) -> None:
    torch.manual_seed(0)
    model = ResNetModel(ResNetConfig(embedding_size=8, hidden_sizes=[8, 8], depths=[1, 1], layer_type="basic"))
    for name in ("vision/mobilenet_v2_1.0_224", "microsoft/resnet-50"):
        model.save_pretrained(root / name)
        ConvNextImageProcessorPil(size={"shortest_edge": 32}).save_pretrained(root / name)
    for path in ("flickr8k/test-images/5_ab.jpg", *(f"flickr30k-images/{n}.jpg" for n in FLICKR30K)):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (40, 40), "red").save(root / path)


def without_counts(text: str) -> str:
    return re.sub(r"\b\d+\b", "N", text)


def test_pitfall_3_every_command_works_as_it_is_printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The original's README shows a command over two lines without a continuation, which cannot run."""
    for make in (write_captions, write_text, write_vision):
        make(tmp_path)
    monkeypatch.chdir(tmp_path)
    for command, printed in blocks():
        words = shlex.split(re.sub(r"--limit \d+", "--limit 3", command))
        assert words[0] == "mcse"
        done = CliRunner().invoke(app, words[1:])
        assert done.exit_code == 0, (command, done.output)
        if printed:
            assert without_counts(done.output) == without_counts("".join(f"{line}\n" for line in printed)), command


def test_the_page_shows_every_way_to_make_data() -> None:
    shown = {" ".join(command.split()[1:3]) for command, _ in blocks()}
    assert {"prepare flickr30k", "prepare flickr8k", "prepare coco", "prepare wiki"} <= shown
    assert any(name.startswith("features ") for name in shown)
