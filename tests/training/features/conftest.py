"""A tiny vision model and a folder of pictures, made here."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import ConvNextImageProcessorPil, ResNetConfig, ResNetModel

from models.images import ImageEncoder


@pytest.fixture(scope="session")
def tiny_resnet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ResNet of two stages, 16 wide, with random weights. Read it, never change it."""
    directory = tmp_path_factory.mktemp("vision") / "tiny-resnet"
    torch.manual_seed(0)
    ResNetModel(
        ResNetConfig(embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], layer_type="basic")
    ).save_pretrained(directory)
    ConvNextImageProcessorPil(size={"shortest_edge": 32}).save_pretrained(directory)
    return directory


@pytest.fixture(scope="session")
def encoder(tiny_resnet: Path) -> ImageEncoder:
    return ImageEncoder.load(tiny_resnet)


def quiet(done: int, total: int) -> None:
    """A progress that nobody watches."""


def write_picture(path: Path, seed: int, size: tuple[int, int] = (40, 30)) -> None:
    """Noise, told apart by its seed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(noise).save(path)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Twelve pictures in three formats, some in a folder below."""
    folder = tmp_path / "pictures"
    for number in range(12):
        ending = ("jpg", "png", "webp")[number % 3]
        write_picture(folder / ("" if number < 8 else "more") / f"{number:02}.{ending}", number)
    return folder
