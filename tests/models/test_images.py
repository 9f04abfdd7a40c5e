import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from PIL import Image
from safetensors.torch import load_file, save_file

from models.errors import CheckpointError
from models.images import ImageEncoder

SMALL: dict[str, Any] = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
PATCHES: dict[str, Any] = {"image_size": 32, "patch_size": 16}
SQUARE: dict[str, Any] = {"size": {"height": 32, "width": 32}}
CROPPED: dict[str, Any] = {"size": {"shortest_edge": 40}, "crop_size": {"height": 32, "width": 32}}


def resnet() -> Any:
    config = transformers.ResNetConfig(embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], layer_type="basic")
    return transformers.ResNetModel(config), transformers.ConvNextImageProcessorPil(size={"shortest_edge": 32})


def mobilenet() -> Any:
    config = transformers.MobileNetV2Config(depth_multiplier=0.1, finegrained_output=False, image_size=32)
    return transformers.MobileNetV2Model(config), transformers.MobileNetV2ImageProcessorPil(**CROPPED)


def vit() -> Any:
    # As in released classifiers: no weights of a pooler.
    model = transformers.ViTModel(transformers.ViTConfig(**SMALL, **PATCHES), add_pooling_layer=False)
    return model, transformers.ViTImageProcessorPil(**SQUARE)


def dinov2() -> Any:
    config = transformers.Dinov2Config(hidden_size=16, num_hidden_layers=1, num_attention_heads=2, **PATCHES)
    return transformers.Dinov2Model(config), transformers.BitImageProcessorPil(**CROPPED)


def clip() -> Any:
    text = {**SMALL, "vocab_size": 9, "bos_token_id": 0, "eos_token_id": 1}
    config = transformers.CLIPConfig(text_config=text, vision_config={**SMALL, **PATCHES}, projection_dim=12)
    return transformers.CLIPModel(config), transformers.CLIPImageProcessorPil(**CROPPED)


FAMILIES: dict[str, Callable[[], Any]] = {f.__name__: f for f in (resnet, mobilenet, vit, dinov2, clip)}


def straight(family: str, model: Any, pixels: torch.Tensor) -> torch.Tensor:
    """The features as transformers' own documentation reads them out."""
    if family == "clip":
        features: torch.Tensor = model.get_image_features(pixel_values=pixels).pooler_output
    elif family in ("vit", "dinov2"):
        features = model(pixel_values=pixels).last_hidden_state[:, 0]
    elif family == "mobilenet":
        features = model(pixel_values=pixels).last_hidden_state.mean((2, 3))
    else:
        features = model(pixel_values=pixels).pooler_output[:, :, 0, 0]
    return features


@pytest.fixture(scope="session")
def directories(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A tiny model of each family, with random weights. Read them, never change them."""
    root = tmp_path_factory.mktemp("vision")
    for name, make in FAMILIES.items():
        torch.manual_seed(0)
        for part in make():
            part.save_pretrained(root / name)
    return {name: root / name for name in FAMILIES}


@pytest.fixture(scope="session")
def encoder(directories: dict[str, Path]) -> ImageEncoder:
    return ImageEncoder.load(directories["resnet"])


@pytest.fixture
def copy(directories: dict[str, Path], tmp_path: Path) -> Path:
    """A model to damage."""
    target = tmp_path / "copy"
    target.mkdir()
    for file in directories["vit"].iterdir():
        (target / file.name).write_bytes(file.read_bytes())
    return target


def picture(mode: str = "RGB", size: tuple[int, int] = (50, 37)) -> Image.Image:
    random = np.random.default_rng(0)
    noise = random.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    return Image.fromarray(noise).convert(mode)


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_gives_what_transformers_gives(directories: dict[str, Path], family: str) -> None:
    encoder = ImageEncoder.load(directories[family])
    images = [picture(), picture("L", (32, 64))]
    kind: Any = {"clip": transformers.CLIPModel, "vit": transformers.ViTModel}.get(family, transformers.AutoModel)
    model = kind.from_pretrained(directories[family]).eval()
    wanted = straight(family, model, torch.stack([encoder.pixels(image) for image in images]))
    found = encoder.encode(images)
    assert found.dtype == np.float32
    assert found.shape == (2, encoder.width)
    np.testing.assert_allclose(found, wanted.detach().numpy(), atol=1e-6)


@pytest.mark.parametrize(
    ("family", "layer", "width"),
    [
        ("resnet", "pooler_output", 16),
        ("mobilenet", "pooler_output", 128),
        ("vit", "last_hidden_state[:, 0]", 16),
        ("dinov2", "last_hidden_state[:, 0]", 16),
        ("clip", "image_embeds", 12),
    ],
)
def test_the_layer_is_named(directories: dict[str, Path], family: str, layer: str, width: int) -> None:
    encoder = ImageEncoder.load(directories[family])
    assert (encoder.layer, encoder.width, encoder.name) == (layer, width, family)


def test_the_vision_tower_of_clip_alone_gives_the_same(directories: dict[str, Path], tmp_path: Path) -> None:
    whole = ImageEncoder.load(directories["clip"])
    config: Any = transformers.CLIPConfig.from_pretrained(directories["clip"]).vision_config
    config.projection_dim = 12
    tower = transformers.CLIPVisionModelWithProjection.from_pretrained(directories["clip"], config=config)
    tower.save_pretrained(tmp_path)
    (tmp_path / "preprocessor_config.json").write_bytes((directories["clip"] / "preprocessor_config.json").read_bytes())
    np.testing.assert_allclose(ImageEncoder.load(tmp_path).encode([picture()]), whole.encode([picture()]), atol=1e-6)


def test_pictures_of_every_mode_become_rgb(encoder: ImageEncoder) -> None:
    for mode in ("L", "1", "P", "LA", "CMYK", "YCbCr", "HSV", "F"):
        image = picture("L").convert(mode) if mode in ("LA", "F") else picture(mode)
        np.testing.assert_array_equal(encoder.encode([image]), encoder.encode([image.convert("RGB")]), err_msg=mode)


def test_transparency_is_dropped(encoder: ImageEncoder) -> None:
    clear = picture("RGBA")
    clear.putalpha(0)
    np.testing.assert_array_equal(encoder.encode([clear]), encoder.encode([picture()]))
    palette = picture("P")
    palette.info["transparency"] = bytes(range(256))
    np.testing.assert_array_equal(encoder.encode([palette]), encoder.encode([picture("P")]))


def test_sixteen_bits_of_grey_keep_their_shades(encoder: ImageEncoder) -> None:
    grey = picture("L")
    deep = Image.fromarray(np.asarray(grey).astype(np.uint16) << 8)
    assert deep.mode == "I;16"
    np.testing.assert_array_equal(encoder.encode([deep]), encoder.encode([grey]))


@pytest.mark.parametrize("size", [(1, 1), (3, 1), (1, 3), (3, 3), (4, 3), (300, 5)], ids=str)
@pytest.mark.parametrize("family", FAMILIES)
def test_the_smallest_pictures_are_not_turned(directories: dict[str, Path], family: str, size: tuple[int, int]) -> None:
    """A picture three pixels high must not be taken for one with its channels first."""
    encoder = ImageEncoder.load(directories[family])
    even = Image.new("RGB", size, (200, 30, 90))
    np.testing.assert_allclose(
        encoder.encode([even]), encoder.encode([Image.new("RGB", (64, 64), (200, 30, 90))]), atol=1e-5
    )


def test_an_orientation_in_the_exif_data_is_not_applied(encoder: ImageEncoder, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    picture().save(tmp_path / "turned.png", exif=exif)
    with Image.open(tmp_path / "turned.png") as turned:
        assert turned.getexif()[0x0112] == 6
        np.testing.assert_array_equal(encoder.encode([turned]), encoder.encode([picture()]))


def test_a_batch_gives_what_single_pictures_give(encoder: ImageEncoder) -> None:
    images = [picture(size=(30 + i, 40)) for i in range(5)]
    alone = np.concatenate([encoder.encode([image]) for image in images])
    np.testing.assert_allclose(encoder.encode(images), alone, atol=1e-6)
    assert encoder.encode([]).shape == (0, encoder.width)


def test_the_fingerprint_follows_what_changes_features_and_nothing_else(
    copy: Path, rewrite_json: Callable[..., None]
) -> None:
    first = ImageEncoder.load(copy).fingerprint
    rewrite_json(copy / "config.json", id2label={"0": "cat"}, label2id={"cat": 0}, _name_or_path="elsewhere")
    assert ImageEncoder.load(copy).fingerprint == first
    rewrite_json(copy / "preprocessor_config.json", image_mean=[0.1, 0.2, 0.3])
    prepared = ImageEncoder.load(copy).fingerprint
    rewrite_json(copy / "config.json", hidden_act="relu")
    activated = ImageEncoder.load(copy).fingerprint
    weights = load_file(copy / "model.safetensors")
    weights["embeddings.cls_token"] += 1
    save_file(weights, copy / "model.safetensors")
    assert len({first, prepared, activated, ImageEncoder.load(copy).fingerprint}) == 4


def test_a_directory_that_lacks_a_file_is_named(copy: Path, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="there is no such directory"):
        ImageEncoder.load(tmp_path / "none")
    with pytest.raises(CheckpointError, match=r"no config\.json in it"):
        ImageEncoder.load(tmp_path)
    (copy / "preprocessor_config.json").unlink()
    with pytest.raises(CheckpointError, match=r"no preprocessor_config\.json in it.*Copy that file"):
        ImageEncoder.load(copy)


def test_a_preparation_that_is_damaged_or_does_not_fit_the_model_is_named(
    copy: Path, rewrite_json: Callable[..., None]
) -> None:
    rewrite_json(copy / "preprocessor_config.json", size={"height": 48, "width": 48})
    with pytest.raises(CheckpointError, match="ViTModel gives no image features"):
        ImageEncoder.load(copy)
    (copy / "preprocessor_config.json").write_text("{")
    with pytest.raises(CheckpointError, match=r"no image processor can be made of its preprocessor_config\.json"):
        ImageEncoder.load(copy)


def test_weights_that_are_damaged_missing_or_not_finite_are_named(copy: Path) -> None:
    weights = load_file(copy / "model.safetensors")
    some = {name: tensor for name, tensor in weights.items() if name != "embeddings.cls_token"}
    save_file(some, copy / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(CheckpointError, match=r"1 weights are missing, embeddings\.cls_token first"):
        ImageEncoder.load(copy)
    save_file({**some, "embeddings.cls_token": torch.full((1, 1, 16), torch.nan)}, copy / "model.safetensors")
    with pytest.raises(CheckpointError, match="NaN or infinity"):
        ImageEncoder.load(copy)
    (copy / "model.safetensors").write_bytes(b"cut")
    with pytest.raises(CheckpointError, match="not a readable safetensors file"):
        ImageEncoder.load(copy)


def test_a_text_encoder_is_refused(tiny_base: Path, directories: dict[str, Path], tmp_path: Path) -> None:
    for file in tiny_base.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    prepared = directories["vit"] / "preprocessor_config.json"
    (tmp_path / prepared.name).write_text(json.dumps(json.loads(prepared.read_text())))
    with pytest.raises(CheckpointError, match=r"BertModel gives no image features.*Give a vision backbone"):
        ImageEncoder.load(tmp_path)
