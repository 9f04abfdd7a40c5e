"""Captions joined with the features of their images, and the ablations that change what a run sees of them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.config import AblationConfig, DataConfig
from training.data.captions import read_captions, read_ids
from training.data.features import read_features
from training.data.overlap import normalized
from training.errors import DataError

_PAIRS, _SHUFFLE, _NOISE = 10, 11, 12  # keep these random streams of one seed apart from those of the batches
_ROWS = 4_096  # worked on at a time


@dataclass(frozen=True, slots=True)
class ImageCaptions:
    """Images, each with its captions and its row of features."""

    names: list[str]
    """Image ids"""
    captions: list[list[str]]
    """Of each image at least one, in the order of the file"""
    features: NDArray[Any] | None
    """(images, width), in the dtype of the file; None where the run uses no images"""
    left_out: int
    """Captions that were dropped because they stand in an evaluation set"""


def open_pairs(
    data: DataConfig,
    ablation: AblationConfig,
    root: Path,
    *,
    seed: int,
    with_images: bool,
    banned: frozenset[str] = frozenset(),
) -> ImageCaptions:
    """Read captions and features, join them by image id, and apply the ablations.

    Which images and captions are used, and their order, depends on neither `with_images` nor `ablation.images`: arms of
    one seed differ in the features alone.

    Args:
        data: where captions, features and the split are.
        ablation: how many images, and whose features they get.
        root: where relative paths start.
        seed: of the ablations.
        with_images: False does not open the features.
        banned: normalised sentences (see `training.data.overlap`) whose captions are dropped.

    Raises:
        DataError: a file is missing or malformed, an image lacks captions or features, or too few images are there.
    """
    if data.captions is None:
        raise DataError("data.captions is not set. Name the captions of the images.")
    path = root / data.captions
    captions = read_captions(path, data.caption_format)
    wanted = _wanted(captions, path, root / data.split if data.split is not None else None)
    allowed = {name: [text for text in captions[name] if normalized(text) not in banned] for name in wanted}
    left_out = sum(len(captions[name]) - len(allowed[name]) for name in wanted)
    names = [name for name in wanted if allowed[name]]
    if not names:
        raise DataError(f"{path}: every caption stands in an evaluation set. Train on others.")
    names = _some(names, ablation.pairs, seed, path)
    features = None
    if with_images:
        features = _ablated(_features_of(names, list(captions), data, root), ablation, seed)
    return ImageCaptions(names, [allowed[name] for name in names], features, left_out)


def _wanted(captions: dict[str, list[str]], path: Path, split: Path | None) -> list[str]:
    if split is None:
        return list(captions)
    names = read_ids(split)
    for number, name in enumerate(names, start=1):
        if name not in captions:
            raise DataError(f"{split}, line {number}: {path} has no caption for the image {name}. Remove the line.")
    return names


def _some(names: list[str], count: int | None, seed: int, path: Path) -> list[str]:
    """The first of a permutation, so that fewer are always among more; in the order of the file."""
    if count is None:
        return names
    if count > len(names):
        raise DataError(f"{path}: ablation.pairs is {count}, but only {len(names)} images can be used. Lower it.")
    chosen = np.random.default_rng((seed, _PAIRS)).permutation(len(names))[:count]
    return [names[row] for row in np.sort(chosen)]


def _features_of(names: list[str], captioned: list[str], data: DataConfig, root: Path) -> NDArray[Any]:
    """(names, width) their rows; without ids in the file, its i-th row belongs to the i-th captioned image."""
    if data.features is None:
        raise DataError("data.features is not set. Name the features of the images.")
    path = root / data.features
    features = read_features(path)
    if features.ids is None and len(features.values) != len(captioned):
        raise DataError(
            f"{path}: {len(features.values)} rows without image ids, but {len(captioned)} images in {data.captions}. "
            "Without ids there must be a row for each image, in the same order."
        )
    row_of = {name: row for row, name in enumerate(captioned if features.ids is None else features.ids)}
    for name in names:
        if name not in row_of:
            raise DataError(
                f"{path}: no features for the image {name}, which has captions. "
                "Make its features, or list the images to use in data.split."
            )
    rows = [row_of[name] for name in names]
    return features.values if rows == list(range(len(features.values))) else features.values[rows]


def _ablated(features: NDArray[Any], ablation: AblationConfig, seed: int) -> NDArray[Any]:
    if ablation.images == "shuffled":
        return _shuffled(features, np.random.default_rng((seed, _SHUFFLE)))
    if ablation.images == "random":
        return _noise_like(features, np.random.default_rng((seed, _NOISE)))
    return features


def _shuffled(features: NDArray[Any], random: np.random.Generator) -> NDArray[Any]:
    """Each image gets the next one's features on a circle in random order: none keeps its own."""
    if len(features) < 2:
        raise DataError("ablation.images is 'shuffled', but there is one image only. Use more.")
    circle = random.permutation(len(features))
    given = np.empty_like(circle)
    given[circle] = np.roll(circle, 1)
    return features[given]


def _noise_like(features: NDArray[Any], random: np.random.Generator) -> NDArray[np.float32]:
    """Gaussian noise with the mean and standard deviation of each dimension."""
    mean = features.mean(axis=0, dtype=np.float64)
    squares = np.zeros_like(mean)
    for start in range(0, len(features), _ROWS):
        squares += np.square(features[start : start + _ROWS] - mean).sum(axis=0)
    noise = random.standard_normal(features.shape, dtype=np.float32)
    noise *= np.sqrt(squares / len(features)).astype(np.float32)
    noise += mean.astype(np.float32)
    return noise
