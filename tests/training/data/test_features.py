import json
import struct
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from training.data.features import read_features, write_features
from training.errors import DataError

ENDINGS = [".h5", ".hdf5", ".npz", ".safetensors"]
IDS = ["b.jpg", "ä.jpg", "a.jpg"]
VALUES = np.arange(12, dtype=np.float32).reshape(3, 4)


def hdf5(path: Path, **arrays: Any) -> None:
    with h5py.File(path, "w") as file:
        for name, array in arrays.items():
            file.create_dataset(name, data=array)


def safetensors(path: Path, features: NDArray[Any], image_ids: Any = None) -> None:
    metadata = {"image_ids": json.dumps(image_ids)} if image_ids is not None else None
    save_file({"features": features}, path, metadata=metadata)


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_what_is_written_is_read_as_it_was(tmp_path: Path, ending: str, dtype: str) -> None:
    path = tmp_path / f"features{ending}"
    write_features(path, IDS, VALUES.astype(dtype))
    found = read_features(path)
    assert found.ids == IDS
    assert found.values.dtype == np.dtype(dtype)
    np.testing.assert_array_equal(found.values, VALUES)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_each_format_is_one_that_its_own_library_reads(tmp_path: Path) -> None:
    for ending in ENDINGS:
        write_features(tmp_path / f"f{ending}", IDS, VALUES)
    with h5py.File(tmp_path / "f.h5") as file, np.load(tmp_path / "f.npz") as arrays:
        np.testing.assert_array_equal(file["features"][:], VALUES)
        assert [name.decode() for name in file["image_ids"][:]] == IDS
        np.testing.assert_array_equal(arrays["features"], VALUES)
        assert arrays["image_ids"].tolist() == IDS
    np.testing.assert_array_equal(load_file(tmp_path / "f.safetensors")["features"], VALUES)


def test_the_original_s_hdf5_has_no_ids_pitfall_2(tmp_path: Path) -> None:
    """Pitfall 2: whatever the file is named, `data.features` says where it is, and its one data set is enough."""
    hdf5(tmp_path / "flickr_resnet.hdf5", features=VALUES)
    np.savez(tmp_path / "f.npz", features=VALUES)
    safetensors(tmp_path / "f.safetensors", VALUES)
    for name in ("flickr_resnet.hdf5", "f.npz", "f.safetensors"):
        found = read_features(tmp_path / name)
        assert found.ids is None
        np.testing.assert_array_equal(found.values, VALUES)


def test_ids_as_bytes_are_text(tmp_path: Path) -> None:
    stored = np.array([name.encode() for name in IDS])
    np.savez(tmp_path / "f.npz", features=VALUES, image_ids=stored)
    hdf5(tmp_path / "f.h5", features=VALUES, image_ids=stored)
    assert read_features(tmp_path / "f.npz").ids == read_features(tmp_path / "f.h5").ids == IDS


@pytest.mark.parametrize("ending", [".h5", ".npz"])
def test_the_content_says_the_format_before_the_ending(tmp_path: Path, ending: str) -> None:
    write_features(tmp_path / f"f{ending}", IDS, VALUES)
    for other in (".bin", ".safetensors"):
        np.testing.assert_array_equal(read_features((tmp_path / f"f{ending}").replace(tmp_path / other)).values, VALUES)
        (tmp_path / other).replace(tmp_path / f"f{ending}")


def test_numbers_of_another_byte_order_come_in_this_machine_s(tmp_path: Path) -> None:
    hdf5(tmp_path / "f.h5", features=VALUES.astype(">f4"))
    np.savez(tmp_path / "f.npz", features=VALUES.astype(">f4"))
    for name in ("f.h5", "f.npz"):
        found = read_features(tmp_path / name).values
        assert found.dtype.isnative
        np.testing.assert_array_equal(found, VALUES)


@pytest.mark.parametrize("ending", [".h5", ".npz", ".safetensors"])
@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (np.zeros((4, 2), np.float32), r"3 image ids do not match features of shape \(4, 2\)"),
        (np.zeros(3, np.float32), r"the features have the shape \(3,\)\. Expected \(images, width\)"),
        (np.zeros((3, 2, 2), np.float32), r"the features have the shape \(3, 2, 2\)"),
        (np.zeros((3, 0), np.float32), r"the features have the shape \(3, 0\)"),
        (np.zeros((3, 2), np.int64), "the features are int64"),
        (np.array([[0, 0], [0, np.nan], [0, 0]], np.float16), r"row 1: the features of ä\.jpg hold NaN or infinity"),
        (np.array([[0, 0], [0, 0], [np.inf, 0]]), r"row 2: the features of a\.jpg hold NaN or infinity"),
    ],
    ids=["count", "flat", "deep", "empty", "whole", "nan", "infinity"],
)
def test_features_that_do_not_fit_are_told(tmp_path: Path, ending: str, broken: NDArray[Any], message: str) -> None:
    """P34: counts that differ, values that are not finite and other shapes are refused before a run."""
    path = tmp_path / f"f{ending}"
    if ending == ".safetensors":
        safetensors(path, broken, IDS)
    elif ending == ".h5":
        hdf5(path, features=broken, image_ids=IDS)
    else:
        np.savez(path, features=broken, image_ids=np.array(IDS))
    with pytest.raises(DataError, match=rf"f\{ending}.*{message}"):
        read_features(path)


def test_a_value_that_is_not_finite_is_found_in_any_row_and_without_ids(tmp_path: Path) -> None:
    values = np.zeros((10_000, 2), np.float16)
    values[9_999, 1] = -np.inf
    np.savez(tmp_path / "f.npz", features=values)
    with pytest.raises(DataError, match=r"f\.npz, row 9999: the features hold NaN or infinity"):
        read_features(tmp_path / "f.npz")


def test_an_id_that_is_listed_twice_is_told_with_both_rows(tmp_path: Path) -> None:
    np.savez(tmp_path / "f.npz", features=VALUES, image_ids=np.array(["a", "b", "a"]))
    with pytest.raises(DataError, match=r"f\.npz, row 2: the image a is listed twice, first in row 0"):
        read_features(tmp_path / "f.npz")


@pytest.mark.parametrize("ids", [np.arange(3), np.array([["a"], ["b"], ["c"]]), np.zeros(3)], ids=str)
def test_ids_that_are_no_list_of_text_are_refused(tmp_path: Path, ids: NDArray[Any]) -> None:
    np.savez(tmp_path / "f.npz", features=VALUES, image_ids=ids)
    with pytest.raises(DataError, match="image_ids is an array of"):
        read_features(tmp_path / "f.npz")
    hdf5(tmp_path / "f.h5", features=VALUES, image_ids=ids.astype("S") if ids.ndim > 1 else ids)
    with pytest.raises(DataError, match="cannot be read as hdf5"):
        read_features(tmp_path / "f.h5")


@pytest.mark.parametrize("ids", [{"a": 1}, "abc", [["a"], ["b"], ["c"]], [1, 2, 3], [["a"], "b"]], ids=str)
def test_metadata_that_is_no_list_of_text_is_refused(tmp_path: Path, ids: Any) -> None:
    safetensors(tmp_path / "f.safetensors", VALUES, ids)
    with pytest.raises(DataError, match="cannot be read as safetensors"):
        read_features(tmp_path / "f.safetensors")


def test_a_file_without_features_is_refused(tmp_path: Path) -> None:
    hdf5(tmp_path / "f.h5", vectors=VALUES)
    np.savez(tmp_path / "f.npz", vectors=VALUES)
    save_file({"vectors": VALUES}, tmp_path / "f.safetensors")
    for ending in (".h5", ".npz", ".safetensors"):
        with pytest.raises(DataError, match=rf"f\{ending}: cannot be read as .* with features"):
            read_features(tmp_path / f"f{ending}")


def test_a_group_or_a_single_number_in_the_place_of_features_is_refused(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "group.h5", "w") as file:
        file.create_group("features")
    with h5py.File(tmp_path / "ids.h5", "w") as file:
        file.create_dataset("features", data=VALUES)
        file.create_group("image_ids")
    hdf5(tmp_path / "one.h5", features=1.0)
    for name in ("group.h5", "ids.h5", "one.h5"):
        with pytest.raises(DataError, match="cannot be read as hdf5"):
            read_features(tmp_path / name)


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("content", [b"", b"no such format", b"PK\x03\x04", b"\x89HDF\r\n\x1a\n"], ids=repr)
def test_what_is_no_file_of_features_is_refused(tmp_path: Path, ending: str, content: bytes) -> None:
    (tmp_path / f"f{ending}").write_bytes(content)
    with pytest.raises(DataError, match="cannot be read as"):
        read_features(tmp_path / f"f{ending}")


def cut(content: bytes) -> bytes:
    return content[: len(content) * 3 // 4]


def flip(content: bytes) -> bytes:
    """Damage where the values stand."""
    middle = len(content) // 2
    return content[:middle] + bytes(255 - byte for byte in content[middle : middle + 64]) + content[middle + 64 :]


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_file_cut_short_is_refused(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"f{ending}"
    write_features(path, [str(number) for number in range(500)], np.ones((500, 8)))
    path.write_bytes(cut(path.read_bytes()))
    with pytest.raises(DataError, match="cannot be read as"):
        read_features(path)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_a_damaged_npz_is_refused(tmp_path: Path, save: Callable[..., None]) -> None:
    save(tmp_path / "f.npz", features=np.random.default_rng(0).normal(size=(500, 8)))
    (tmp_path / "f.npz").write_bytes(flip((tmp_path / "f.npz").read_bytes()))
    with pytest.raises(DataError, match="cannot be read as npz"):
        read_features(tmp_path / "f.npz")


def test_a_plain_array_is_no_npz(tmp_path: Path) -> None:
    with (tmp_path / "f.npz").open("wb") as file:
        np.save(file, VALUES)
    with pytest.raises(DataError, match="cannot be read as npz"):
        read_features(tmp_path / "f.npz")


@pytest.mark.parametrize("name", ["image_ids", "features"])
def test_a_pickle_among_the_arrays_is_never_run(tmp_path: Path, name: str) -> None:
    arrays: dict[str, Any] = {"features": VALUES, "image_ids": np.array(IDS)}
    np.savez(tmp_path / "f.npz", **(arrays | {name: np.array([print] * 3, dtype=object)}))
    with pytest.raises(DataError, match=r"cannot be read as npz .*allow_pickle=False"):
        read_features(tmp_path / "f.npz")


def test_half_precision_that_numpy_does_not_know_is_refused(tmp_path: Path) -> None:
    header = json.dumps({"features": {"dtype": "BF16", "shape": [2, 2], "data_offsets": [0, 8]}}).encode()
    (tmp_path / "f.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + bytes(8))
    with pytest.raises(DataError, match=r"cannot be read as safetensors .*bfloat16"):
        read_features(tmp_path / "f.safetensors")


def test_a_missing_file_a_folder_and_an_unknown_ending_are_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"f\.npz: there is no such file"):
        read_features(tmp_path / "f.npz")
    with pytest.raises(DataError, match=r"cannot be read \(Is a directory\)"):
        read_features(tmp_path)
    (tmp_path / "f.csv").write_text("1,2\n")
    with pytest.raises(DataError, match=r"f\.csv: not a file of features\. Expected one that ends in \.h5"):
        read_features(tmp_path / "f.csv")


@pytest.mark.parametrize(
    ("name", "ids", "values", "message"),
    [
        ("f.csv", IDS, VALUES, r"f\.csv: its ending is none of \.h5"),
        ("f.npz", IDS[:2], VALUES, "2 image ids do not match"),
        ("f.npz", ["a", "a", "b"], VALUES, "the image a is listed twice"),
        ("f.h5", IDS, VALUES.astype(int), "the features are int64"),
    ],
)
def test_what_could_not_be_read_again_is_not_written(
    tmp_path: Path, name: str, ids: list[str], values: NDArray[Any], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        write_features(tmp_path / name, ids, values)
    assert list(tmp_path.iterdir()) == []


def test_safetensors_are_written_from_disk_to_disk(tmp_path: Path) -> None:
    values = np.lib.format.open_memmap(tmp_path / "v.npy", mode="w+", dtype=np.float32, shape=(40_000, 256))
    values[:] = 1
    tracemalloc.start()
    write_features(tmp_path / "f.safetensors", [str(number) for number in range(40_000)], values)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < values.nbytes / 2
    np.testing.assert_array_equal(read_features(tmp_path / "f.safetensors").values, values)


@pytest.mark.data
def test_the_real_features_are_read_in_the_precision_of_the_file(data: Path) -> None:
    found = read_features(data / "flickr8k" / "flickr8k_mobilenetv2_avgpool_f16.npz")
    assert found.ids is not None
    assert len(found.ids) == 8_091
    assert found.values.shape == (8_091, 1_280)
    assert found.values.dtype == np.float16
