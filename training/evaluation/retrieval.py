"""Text-to-image retrieval on Flickr8k's test images: does a caption find its photograph?"""

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
    stored = read_features(folder / "flickr8k_mobilenetv2_avgpool_f16.npz")
    wanted = read_ids(folder / "Flickr_8k.testImages.txt")
    row_of = {name: row for row, name in enumerate(stored.ids or [])}
    for name in wanted:
        if name not in captions or name not in row_of:
            raise DataError(f"{folder}: the test image {name} lacks captions or features. Fetch the files again.")
    return RetrievalSet(
        captions=[caption for name in wanted for caption in captions[name]],
        image_of=np.array([image for image, name in enumerate(wanted) for _ in captions[name]]),
        features=stored.values[[row_of[name] for name in wanted]].astype(np.float32),
    )


def recall_at(
    sentences: NDArray[np.float32], images: NDArray[np.float32], image_of: NDArray[np.int64]
) -> dict[str, float]:
    """Share x 100 of sentences whose own image is among the k nearest.

    Args:
        sentences: (n, width) unit vectors in the shared space.
        images: (m, width) unit vectors.
        image_of: (n,) the right image of each sentence.

    Returns:
        `recall@1`, `recall@5` and `recall@10`. An image that ties with the right one counts as before it.
    """
    scores = sentences @ images.T  # (n, m)
    right = scores[np.arange(len(scores)), image_of]
    before = (scores >= right[:, None]).sum(axis=1) - 1
    return {f"recall@{k}": float((before < k).mean()) * 100 for k in RANKS}
