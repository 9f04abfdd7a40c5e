"""Features, captions and settings of training that lie or explode: a named error, in little memory and time."""

import gzip
import io
import json
import pickle
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from numpy.typing import NDArray

from tests.faults.cage import Cage, require_refused
from tests.faults.conftest import Runs

MB = 1 << 20
Write = Callable[[Path], object]


# ---- npz ----


def npy(shape: tuple[int, ...], *, descr: str = "'<f4'", content: bytes = b"", version: int = 1) -> bytes:
    """An array that says it has such a shape."""
    header = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}".encode()
    header += b" " * (-(len(header) + 11) % 64) + b"\n"
    length = struct.pack("<H" if version == 1 else "<I", len(header))
    return b"\x93NUMPY" + bytes([version, 0]) + length + header + content


def npz(features: bytes | None = None, *, name: str = "features", zeros_mb: int = 0) -> Write:
    """One array, packed where it ends in zeros."""

    def write(path: Path) -> None:
        kind = zipfile.ZIP_DEFLATED if zeros_mb else zipfile.ZIP_STORED
        with zipfile.ZipFile(path, "w", kind, compresslevel=1) as archive:
            if features is not None:
                with archive.open(f"{name}.npy", "w") as file:
                    file.write(features)
                    for _ in range(zeros_mb):
                        file.write(bytes(MB))

    return write


def with_comment_as_code(path: Path) -> None:
    """The header of an array is an expression of Python."""
    npz(npy((2, 2), descr="__import__('os').system('true')"))(path)


ARCHIVES: dict[str, Write] = {
    "200 MB of zeros": npz(npy((50 * MB, 1)), zeros_mb=200),
    "a shape of 10^15": npz(npy((10**15, 10**3), content=bytes(64))),
    "a shape of 2^63 squared": npz(npy((1 << 63, 1 << 63))),
    "a negative shape": npz(npy((-1, 8), content=bytes(64))),
    "a shape of 20 GB": npz(npy((5 * 10**9, 1), content=bytes(64))),
    "objects": npz(npy((2, 2), descr="'|O'", content=pickle.dumps([1, 2, 3, 4]))),
    "records": npz(npy((2, 2), descr="[('a', '<f4')]", content=bytes(16))),
    "code for a header": with_comment_as_code,
    "a header of 4 GB": npz(b"\x93NUMPY\x02\x00\xff\xff\xff\xff"),
    "another version": npz(npy((2, 2), content=bytes(16), version=3)),
    "no array": npz(b"not what was written here"),
    "nothing": npz(),
    "a path": npz(npy((2, 2), content=bytes(16)), name="../../features"),
    "no archive": lambda path: path.write_bytes(b"PK\x03\x04" + bytes(100)),
}


@pytest.mark.parametrize("archive", ARCHIVES)
def test_an_archive_of_features_that_lies_is_refused(cage: Cage, tmp_path: Path, archive: str) -> None:
    path = tmp_path / "features.npz"
    ARCHIVES[archive](path)
    outcome = cage.call("features", path)
    require_refused(outcome, grown_mb=150)
    assert outcome.seconds < 10


@pytest.mark.parametrize("name", ["features", "image_ids"])
def test_a_pickle_in_an_archive_of_features_runs_nothing(cage: Cage, tmp_path: Path, runs: Runs, name: str) -> None:
    arrays: dict[str, Any] = {"features": np.ones((2, 2), np.float32), "image_ids": np.array(["a", "b"])}
    with (tmp_path / "features.npz").open("wb") as file:
        np.savez(file, **{**arrays, name: np.array([[runs, runs], [runs, runs]], dtype=object)})
    require_refused(cage.call("features", tmp_path / "features.npz"))


@pytest.mark.parametrize("ending", ["npy", "npz", "h5", "safetensors", "pkl", "pt"])
def test_a_pickle_with_another_ending_runs_nothing(cage: Cage, tmp_path: Path, runs: Runs, ending: str) -> None:
    path = tmp_path / f"features.{ending}"
    buffer = io.BytesIO()
    np.save(buffer, np.array([runs], dtype=object))
    for content in (pickle.dumps(runs), buffer.getvalue()):
        path.write_bytes(content)
        require_refused(cage.call("features", path))


# ---- HDF5 ----


def hdf5(fill: Callable[[h5py.File, Path], None]) -> Write:
    def write(path: Path) -> None:
        with h5py.File(path, "w") as file:
            fill(file, path)

    return write


def good(file: h5py.File) -> None:
    file["features"] = np.ones((4, 2), np.float32)


def elsewhere(path: Path) -> Path:
    """Another file of features, which nobody asked for."""
    other = path.with_name("elsewhere.h5")
    with h5py.File(other, "w") as file:
        good(file)
    return other


def raw_elsewhere(file: h5py.File, path: Path) -> None:
    secret = path.with_name("secret")
    secret.write_bytes(b"canary-7f3a" * 100)
    file.create_dataset("features", shape=(4, 2), dtype="f4", external=[(str(secret), 0, 32)])


def virtual(file: h5py.File, path: Path) -> None:
    layout = h5py.VirtualLayout(shape=(4, 2), dtype="f4")
    layout[:] = h5py.VirtualSource(str(elsewhere(path)), "features", shape=(4, 2))
    file.create_virtual_dataset("features", layout)


def linked(file: h5py.File, path: Path) -> None:
    file["features"] = h5py.ExternalLink(str(elsewhere(path)), "features")


def soft_linked(file: h5py.File, path: Path) -> None:
    file["features"] = h5py.SoftLink("/features")


def never_written(file: h5py.File, path: Path) -> None:
    file.create_dataset("features", shape=(10**6, 10**4), dtype="f4")


def filled(file: h5py.File, path: Path) -> None:
    file.create_dataset("features", shape=(10**5, 10**4), dtype="f4", chunks=(1000, 100), fillvalue=1.0)


def packed_zeros(file: h5py.File, path: Path) -> None:
    file.create_dataset("features", data=np.zeros((100, 10**6), np.float32), chunks=(10, 10**5), compression="gzip")


def objects(file: h5py.File, path: Path) -> None:
    file.create_dataset("features", data=[file.ref, file.ref], dtype=h5py.ref_dtype)


def a_group(file: h5py.File, path: Path) -> None:
    file.create_group("features")


def long_ids(file: h5py.File, path: Path) -> None:
    good(file)
    file.create_dataset("image_ids", data=["x" * 10 * MB] * 4, dtype=h5py.string_dtype())


SETS: dict[str, Write] = {
    "numbers in another file": hdf5(raw_elsewhere),
    "a view of another file": hdf5(virtual),
    "a link to another file": hdf5(linked),
    "a link to itself": hdf5(soft_linked),
    "40 GB that were never written": hdf5(never_written),
    "4 GB of one number": hdf5(filled),
    "400 MB of zeros": hdf5(packed_zeros),
    "objects": hdf5(objects),
    "a group": hdf5(a_group),
    "ids of 10 MB": hdf5(long_ids),
    "cut off": lambda path: path.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(1000)),
}


@pytest.mark.parametrize("data_set", SETS)
def test_a_file_of_hdf5_that_lies_or_leads_elsewhere_is_refused(cage: Cage, tmp_path: Path, data_set: str) -> None:
    path = tmp_path / "features.h5"
    SETS[data_set](path)
    outcome = cage.call("features", path)
    require_refused(outcome, grown_mb=200)
    assert "canary" not in outcome.told
    assert outcome.seconds < 10


def test_ids_that_are_one_place_in_the_file_many_times_are_refused(cage: Cage, tmp_path: Path) -> None:
    path = tmp_path / "features.h5"
    with h5py.File(path, "w") as file:
        file["features"] = np.ones((20_000, 2), np.float32)
        ids = file.create_dataset("image_ids", shape=(20_000,), dtype=h5py.string_dtype())
        ids[:] = "a"
        ids[0] = "x" * MB
    content = path.read_bytes()
    start = content.index(b"\x00\x00\x10\x00")  # of the first id: its length, then where it is
    path.write_bytes(content[: start + 16] + content[start : start + 16] * 15_000 + content[start + 16 * 15_001 :])
    outcome = cage.call("features", path)
    require_refused(outcome, grown_mb=250)


# ---- safetensors ----


def safetensors(header: dict[str, Any], content: bytes = b"") -> Write:
    def write(path: Path) -> None:
        raw = json.dumps(header).encode()
        path.write_bytes(struct.pack("<Q", len(raw)) + raw + content)

    return write


def tensor(shape: list[int], length: int, dtype: str = "F32", **about: str) -> dict[str, Any]:
    return {"__metadata__": about, "features": {"dtype": dtype, "shape": shape, "data_offsets": [0, length]}}


TENSORS: dict[str, Write] = {
    "a shape of 2^62 squared": safetensors(tensor([1 << 62, 1 << 62], 16), bytes(16)),
    "a shape of nothing": safetensors(tensor([10**9, 0], 0)),
    "bytes": safetensors(tensor([4, 4], 16, "U8"), bytes(16)),
    "half of a half": safetensors(tensor([4, 4], 16, "F8_E4M3"), bytes(16)),
    "ids that are no list": safetensors(tensor([2, 2], 16, image_ids='{"a": 1}'), bytes(16)),
    "ids that are numbers": safetensors(tensor([2, 2], 16, image_ids="[1, 2]"), bytes(16)),
    "deep ids": safetensors(tensor([2, 2], 16, image_ids="[" * 100_000), bytes(16)),
    "one id that is long, and many": safetensors(
        tensor([2, 2], 16, image_ids=json.dumps(["x" * MB, *map(str, range(100_000))])), bytes(16)
    ),
}


@pytest.mark.parametrize("lie", TENSORS)
def test_tensors_of_features_that_lie_are_refused(cage: Cage, tmp_path: Path, lie: str) -> None:
    path = tmp_path / "features.safetensors"
    TENSORS[lie](path)
    require_refused(cage.call("features", path), grown_mb=150)


# ---- captions ----


def bomb(megabytes: int, *, before: bytes = b"", filler: bytes = b" ") -> bytes:
    """Packed, a thousandth of that."""
    buffer = io.BytesIO()
    with gzip.open(buffer, "wb", compresslevel=1) as file:
        file.write(before)
        for _ in range(megabytes):
            file.write(filler * MB)
    return buffer.getvalue()


CAPTIONS: dict[str, Callable[[], bytes]] = {
    "captions.txt.gz": lambda: bomb(300, before=b"a\n", filler=b"x"),
    "captions.json.gz": lambda: bomb(600, before=b'{"images": [], "annotations": ['),
    "captions.json": lambda: b"[" * 200_000,
    "objects.json": lambda: b'{"images":' * 100_000,
    "other.json": lambda: b'{"images": [{"id": 1, "file_name": 5}], "annotations": []}',
    "bytes.txt": lambda: b"a\0b\n",
    "latin.txt": lambda: b"caf\xe9\n",
    "damaged.txt.gz": lambda: bomb(1)[:-100],
    "named.txt.gz": lambda: pickle.dumps("a"),
}


@pytest.mark.parametrize("name", CAPTIONS)
def test_captions_that_explode_are_refused(cage: Cage, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(CAPTIONS[name]())
    outcome = cage.call("captions", tmp_path / name, memory_mb=4096)
    require_refused(outcome, grown_mb=1200 if name == "captions.json.gz" else 300)
    assert outcome.seconds < 15


# ---- settings of a run ----


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"a = " + b"[" * 100_000,
        b"[model]\nbackbone = 5\n[data]\n",
        b"a" * 100_000,
        b"[model]\n" * 3,
        b"\xff\xfe",
        b"a = " + b"9" * 5000,
        b"[" * 1000,
        b"a" + b".a" * 50_000 + b" = 1",
    ],
    ids=lambda content: content[:12].decode(errors="replace"),
)
def test_settings_that_cannot_be_are_refused(cage: Cage, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "run.toml").write_bytes(content)
    require_refused(cage.call("config", tmp_path / "run.toml"))


def test_features_that_are_whole_are_read(cage: Cage, tmp_path: Path) -> None:
    from training.data.features import write_features

    values: NDArray[Any] = np.ones((300, 4), np.float32)
    for ending in ("npz", "h5", "safetensors"):
        write_features(tmp_path / f"features.{ending}", [f"{number}.jpg" for number in range(300)], values)
        outcome = cage.call("features", tmp_path / f"features.{ending}", writes=True)
        assert (outcome.fell, outcome.told, outcome.answer) == ("", "", "(300, 4)")


# ---- an index of sentences ----


def kept(sentences: bytes, **about: str) -> Write:
    def write(path: Path) -> None:
        words, numbers = len(sentences), 4 * 8 * 2
        header = {
            "__metadata__": {"format": "1", "space": "sentence", "fingerprint": "f" * 64, **about},
            "vectors": {"dtype": "F32", "shape": [2, 8], "data_offsets": [0, numbers]},
            "sentences": {"dtype": "U8", "shape": [words], "data_offsets": [numbers, numbers + words]},
        }
        safetensors(header, bytes(numbers) + sentences)(path)

    return write


SENTENCES: dict[str, Write] = {
    "deep sentences": kept(b"[" * 100_000),
    "numbers": kept(b"[1, 2]"),
    "an object": kept(b'{"a": 1, "b": 2}'),
    "one sentence of two": kept(b'["a"]'),
    "no JSON": kept(b"\xff\xfe"),
    "another model": kept(b'["a", "b"]', fingerprint="e" * 64),
    "another release": kept(b'["a", "b"]', format="99"),
    "vectors of one number": safetensors(
        {
            "__metadata__": {"format": "1", "space": "sentence", "fingerprint": "f" * 64},
            "vectors": {"dtype": "F32", "shape": [], "data_offsets": [0, 4]},
            "sentences": {"dtype": "U8", "shape": [10], "data_offsets": [4, 14]},
        },
        bytes(4) + b'["a", "b"]',
    ),
    "no fingerprint": safetensors(tensor([2, 8], 64), bytes(64)),
    "a pickle": lambda path: path.write_bytes(pickle.dumps("a")),
}


@pytest.mark.parametrize("lie", SENTENCES)
def test_an_index_of_sentences_that_lies_is_refused(cage: Cage, tmp_path: Path, lie: str) -> None:
    SENTENCES[lie](tmp_path / "index")
    require_refused(cage.call("sentence_index", tmp_path / "index"))


def test_an_index_of_sentences_that_is_whole_is_searched(cage: Cage, tmp_path: Path) -> None:
    kept(b'["a", "b"]')(tmp_path / "index")
    outcome = cage.call("sentence_index", tmp_path / "index")
    assert (outcome.fell, outcome.told, outcome.answer) == ("", "", "[[('a', 0.0), ('b', 0.0)]]")
