"""Features of real photographs against those that were made of them independently, with another framework."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from models.images import ImageEncoder
from tests.training.features.conftest import quiet
from training.data.features import read_features
from training.features.extract import Extraction, extract
from training.features.pictures import find_pictures

STORED = "flickr8k/flickr8k_mobilenetv2_avgpool_f16.npz"


def read(path: Path) -> tuple[list[str], NDArray[np.float32]]:
    found = read_features(path)
    assert found.ids is not None
    return found.ids, found.values.astype(np.float32)


@pytest.mark.data
def test_features_of_real_photographs_agree_with_the_stored_ones(data: Path, tmp_path: Path) -> None:
    photographs = data / "flickr8k" / "test-images"
    (tmp_path / "ids.txt").write_text("".join(f"{name}\n" for name in find_pictures(photographs)[::16]))
    encoder = ImageEncoder.load(data / "vision" / "mobilenet_v2_1.0_224")
    job = Extraction(photographs, tmp_path / "f.npz", listed=tmp_path / "ids.txt", batch_size=16, dtype="float16")
    extract(job, encoder, quiet)
    ids, found = read(tmp_path / "f.npz")
    stored_ids, stored = read(data / STORED)
    wanted = stored[[stored_ids.index(name) for name in ids]]
    lengths = np.linalg.norm(found, axis=1) * np.linalg.norm(wanted, axis=1)
    cosines = (found * wanted).sum(axis=1) / lengths
    assert len(ids) == 63
    assert cosines.mean() >= 0.99
    assert cosines.min() >= 0.98
    strangers = (found * np.roll(wanted, 1, axis=0)).sum(axis=1) / lengths
    assert strangers.mean() < 0.7  # of other photographs they are far away: the agreement means something
