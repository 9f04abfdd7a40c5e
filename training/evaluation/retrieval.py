"""Retrieval on Flickr8k's test images: does a caption find its photograph, and a photograph one of its captions?"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.data.captions import read_captions, read_ids
from training.data.features import read_features
from training.errors import DataError

RANKS = (1, 5, 10)


@dataclass(frozen=True, slots=True)
class RetrievalSet:
    """Captions and the images they were written for."""

    captions: list[str]
    image_of: NDArray[np.int64]
    """(captions,) row of the right image in `features`"""
    features: NDArray[np.float32]
    """(images, width)"""


def read_flickr8k_test(data: Path) -> RetrievalSet:
    """The 1,000 test images with five captions each.

    Raises:
        DataError: a file of `flickr8k/` is missing or malformed.
    """
    folder = data / "flickr8k"
    captions = read_captions(folder / "Flickr8k.token.txt")
    features = read_features(folder / "flickr8k_mobilenetv2_avgpool_f16.npz")
    wanted = read_ids(folder / "Flickr_8k.testImages.txt")
    row_of = {name: row for row, name in enumerate(features.ids or ())}
    for name in wanted:
        if name not in captions or name not in row_of:
            raise DataError(f"{folder}: the test image {name} lacks captions or features. Fetch the files again.")
    return RetrievalSet(
        captions=[caption for name in wanted for caption in captions[name]],
        image_of=np.array([image for image, name in enumerate(wanted) for _ in captions[name]]),
        features=features.values[[row_of[name] for name in wanted]].astype(np.float32),
    )


def text_to_image(scores: NDArray[np.float32], image_of: NDArray[np.int64]) -> dict[str, float]:
    """How far down the list of images each caption finds its own.

    Args:
        scores: (captions, images) similarities.
        image_of: (captions,) the right image of each caption.

    Returns:
        `recall@1`, `recall@5`, `recall@10`, x 100, and `median_rank`, of which 1 is the best. What ties with the right
        one counts as before it.
    """
    right = scores[np.arange(len(scores)), image_of]
    return _summary(np.count_nonzero(_reaches(scores, right), axis=1))


def image_to_text(scores: NDArray[np.float32], image_of: NDArray[np.int64]) -> dict[str, float]:
    """How far down the list of captions each image finds the first of its own; else as `text_to_image`."""
    own = image_of[None, :] == np.arange(scores.shape[1])[:, None]  # (images, captions)
    best = np.where(own, scores.T, -np.inf).max(axis=1)
    return _summary(np.count_nonzero(_reaches(scores.T, best) & ~own, axis=1) + 1)


def _reaches(scores: NDArray[np.float32], right: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Where a row's scores are at least its right one. NaN compares as if it were: a broken model finds nothing."""
    return ~(scores < right[:, None])


def _summary(ranks: NDArray[np.int64]) -> dict[str, float]:
    recalls = {f"recall@{k}": float((ranks <= k).mean()) * 100 for k in RANKS}
    return {**recalls, "median_rank": float(np.median(ranks))}
