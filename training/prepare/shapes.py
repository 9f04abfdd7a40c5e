"""A small drawn world for a first run: coloured shapes, captions, sentences, pairs. Made here, from nothing."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from training.data.features import write_features
from training.prepare.directory import Prepared, Request, prepare

SIDE = 64  # pixels of a picture
GRID = 8  # a picture's features are its colours at 8 x 8 places
TRAIN = 200  # pictures to train on; the others are to be found
PAIRS = 200

COLOURS = {
    "red": (214, 39, 40),
    "blue": (31, 119, 220),
    "green": (44, 160, 44),
    "yellow": (245, 205, 20),
    "purple": (148, 60, 189),
    "white": (250, 250, 250),
}
SHAPES = ("circle", "square", "triangle", "cross")
SIZES = {"small": 9, "large": 17}  # half a side in pixels
PLACES = {
    "on the left": (18, 32),
    "on the right": (46, 32),
    "at the top": (32, 18),
    "at the bottom": (32, 46),
    "in the middle": (32, 32),
}


@dataclass(frozen=True, slots=True)
class Scene:
    """One shape on a dark ground."""

    size: str
    colour: str
    shape: str
    place: str

    @property
    def name(self) -> str:
        """Image id."""
        return "-".join([self.size, self.colour, self.shape, self.place.rsplit(" ", 1)[-1]]) + ".png"

    @property
    def caption(self) -> str:
        """What a person would write under it."""
        return f"a {self.size} {self.colour} {self.shape} {self.place}"


def prepare_shapes(output: Path, *, seed: int) -> Prepared:
    """Draw the world into a folder: pictures, captions, features, splits, sentences and scored pairs.

    Raises:
        DataError: the folder holds something else.
    """
    return prepare(output, Request("shapes", (), {"seed": seed}), lambda target: _write(target, seed))


def _write(target: Path, seed: int) -> dict[str, Any]:
    random = np.random.default_rng(seed)
    scenes = [Scene(*facts) for facts in product(SIZES, COLOURS, SHAPES, PLACES)]
    scenes = [scenes[row] for row in random.permutation(len(scenes))]
    pictures = [draw(scene) for scene in scenes]
    (target / "images").mkdir()
    for scene, picture in zip(scenes, pictures, strict=True):
        picture.save(target / "images" / scene.name)
    write_features(target / "features.npz", [scene.name for scene in scenes], np.stack([*map(pixels, pictures)]))
    _lines(target / "captions.token.txt", (f"{scene.name}#0\t{scene.caption}" for scene in scenes))
    _lines(target / "train.txt", (scene.name for scene in scenes[:TRAIN]))
    _lines(target / "test.txt", (scene.name for scene in scenes[TRAIN:]))
    sentences = [*_sentences()]
    _lines(target / "sentences.txt", (sentences[row] for row in random.permutation(len(sentences))))
    _lines(target / "dev.tsv", _pairs(scenes, random))
    counts = {"images": len(scenes), "train": TRAIN, "test": len(scenes) - TRAIN, "sentences": len(sentences)}
    return {**counts, "dropped": {}}


def draw(scene: Scene) -> Image.Image:
    """The picture of a scene, 64 x 64 RGB."""
    picture = Image.new("RGB", (SIDE, SIDE), (24, 24, 28))
    pen, half, (x, y) = ImageDraw.Draw(picture), SIZES[scene.size], PLACES[scene.place]
    box, fill = (x - half, y - half, x + half, y + half), COLOURS[scene.colour]
    if scene.shape == "circle":
        pen.ellipse(box, fill)
    elif scene.shape == "square":
        pen.rectangle(box, fill)
    elif scene.shape == "triangle":
        pen.polygon([(x, y - half), (x - half, y + half), (x + half, y + half)], fill)
    else:
        arm = half // 3
        pen.rectangle((x - half, y - arm, x + half, y + arm), fill)
        pen.rectangle((x - arm, y - half, x + arm, y + half), fill)
    return picture


def pixels(picture: Image.Image) -> NDArray[np.float32]:
    """(192,) mean colours of 8 x 8 squares, from -1 to 1: what stands for an image encoder here."""
    small = np.asarray(picture.resize((GRID, GRID), Image.Resampling.BOX), np.float32)
    return small.reshape(-1) / 127.5 - 1


def _sentences() -> Iterator[str]:
    for colour, shape, size in product(COLOURS, SHAPES, SIZES):
        yield f"the {shape} is {colour}"
        yield f"there is a {size} {shape} here"
        yield f"I would like a {size} {colour} {shape}"
        yield f"every {shape} that she drew was {size} and {colour}"


def _pairs(scenes: list[Scene], random: np.random.Generator) -> Iterator[str]:
    """The more two scenes have in common, the higher their score, 1 to 5."""
    for _ in range(PAIRS):
        one, other = (scenes[row] for row in random.choice(len(scenes), 2, replace=False))
        shared = sum(asdict(one)[key] == asdict(other)[key] for key in asdict(one))
        yield f"{1 + shared}\t{one.caption}\t{other.caption}"


def _lines(path: Path, lines: Iterator[str]) -> None:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
