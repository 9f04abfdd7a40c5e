"""Weights that lie, explode or bring code: a named error, in little memory and time, and nothing runs."""

import io
import json
import pickle
import shutil
import struct
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from tests.faults.cage import Cage, require_refused
from tests.faults.conftest import Runs

MB = 1 << 20
SAFE, PICKLED = "model.safetensors", "pytorch_model.bin"
NOWHERE = torch.zeros(2, 0, dtype=torch.int64)
SPARSE = torch.sparse_coo_tensor(NOWHERE, torch.zeros(0), (10**6, 10**6), check_invariants=True)
Header = dict[str, Any]


@pytest.fixture
def encoder(tmp_path: Path, tiny_base: Path) -> Path:
    """A plain Hugging Face encoder, whole."""
    shutil.copytree(tiny_base, tmp_path / "encoder")
    return tmp_path / "encoder"


@pytest.fixture
def unsafe(encoder: Path) -> Path:
    """The same with its weights as a pickle of tensors."""
    torch.save(load_file(encoder / SAFE), encoder / PICKLED)
    (encoder / SAFE).unlink()
    return encoder


@pytest.fixture
def released(unsafe: Path) -> Path:
    """A released MCSE checkpoint, with heads in a pickle of their own."""
    heads = {
        name: {"dense.weight": torch.zeros(8, 32), "dense.bias": torch.zeros(8)} for name in ("grounding", "visn_model")
    }
    torch.save(heads, unsafe / "mcse.pt")
    return unsafe


def test_what_is_whole_is_opened(cage: Cage, encoder: Path) -> None:
    outcome = cage.call("checkpoint", encoder)
    assert (outcome.fell, outcome.told) == ("", "")


def test_what_is_whole_is_opened_as_a_pickle_of_tensors_too(cage: Cage, released: Path) -> None:
    outcome = cage.call("checkpoint", released)
    assert (outcome.fell, outcome.told) == ("", "")


# ---- pickles ----


def as_torch(content: object) -> bytes:
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()


@pytest.mark.parametrize("write", [pickle.dumps, as_torch], ids=["pickle", "torch"])
@pytest.mark.parametrize("name", [PICKLED, SAFE, "mcse.pt"])
def test_a_pickle_runs_nothing(
    cage: Cage, released: Path, runs: Runs, name: str, write: Callable[[object], bytes]
) -> None:
    (released / name).write_bytes(write({"grounding": runs, "embeddings.word_embeddings.weight": runs}))
    require_refused(cage.call("checkpoint", released))


@pytest.mark.parametrize("name", [PICKLED, SAFE])
def test_a_pickle_in_a_model_of_sentence_transformers_runs_nothing(
    cage: Cage, tmp_path: Path, tiny_bundle: Path, runs: Runs, name: str
) -> None:
    directory = tmp_path / "sbert"
    shutil.copytree(tiny_bundle, directory)
    for ours in ("mcse.json", "manifest.json", SAFE):
        (directory / ours).unlink()
    (directory / name).write_bytes(as_torch({"weight": runs}))
    require_refused(cage.call("checkpoint", directory))


@pytest.mark.parametrize("name", ["training_args.bin", "optimizer.pt", "scheduler.pt", "rng_state.pth", "state.pt"])
def test_what_a_trainer_leaves_behind_is_never_read(cage: Cage, released: Path, runs: Runs, name: str) -> None:
    (released / name).write_bytes(pickle.dumps(runs))
    outcome = cage.call("checkpoint", released)
    assert (outcome.fell, outcome.told) == ("", "")


def test_code_beside_the_weights_is_never_run(cage: Cage, encoder: Path, runs: Runs) -> None:
    code = f"import os\nos.system({runs.__reduce__()[1][0]!r})\nclass Model: pass\n"
    for name in ("modeling.py", "configuration.py", "tokenization.py", "__init__.py", "conftest.py"):
        (encoder / name).write_text(code)
    config = json.loads((encoder / "config.json").read_text())
    config["auto_map"] = {"AutoConfig": "configuration.Model", "AutoModel": "modeling.Model"}
    (encoder / "config.json").write_text(json.dumps(config))
    outcome = cage.call("checkpoint", encoder)
    assert outcome.fell == ""


@pytest.mark.parametrize(
    "content",
    [
        [torch.zeros(2)],
        {1: torch.zeros(2)},
        {"embeddings.word_embeddings.weight": 5},
        {"pooler.dense.weight": torch.zeros(32, 32), "pooler.dense.bias": None},
        {"pooler.dense.weight": torch.zeros(1).half().expand(200_000, 200_000), "pooler.dense.bias": torch.zeros(1)},
        {"pooler.dense.weight": torch.zeros(32, 32, device="meta"), "pooler.dense.bias": torch.zeros(32)},
        {
            "pooler.dense.weight": SPARSE,
            "pooler.dense.bias": torch.zeros(1),
        },
    ],
    ids=["a list", "a number for a name", "a number", "None", "one number for many", "without data", "sparse"],
)
@pytest.mark.parametrize("name", [PICKLED, "mcse.pt"])
def test_what_is_no_dictionary_of_tensors_is_refused(cage: Cage, released: Path, name: str, content: Any) -> None:
    if name == "mcse.pt" and isinstance(content, dict):
        content = {"grounding": content, "visn_model": content}
    elif isinstance(content, dict):
        content = {**torch.load(released / PICKLED, weights_only=True), **content}
    torch.save(content, released / name)
    require_refused(cage.call("checkpoint", released))


# ---- archives ----


def rewritten(path: Path, *, compression: int = zipfile.ZIP_STORED, zeros_mb: int = 0) -> None:
    """The same archive, with its numbers packed and as many of them as wanted."""
    with zipfile.ZipFile(path) as old:
        content = {info.filename: old.read(info) for info in old.infolist()}
    with zipfile.ZipFile(path, "w", compression, compresslevel=1) as new:
        for name, data in content.items():
            with new.open(zipfile.ZipInfo(name) if compression == zipfile.ZIP_STORED else name, "w") as file:
                file.write(data)
                for _ in range(zeros_mb if name.endswith("data/0") else 0):
                    file.write(bytes(MB))


def test_a_zip_bomb_is_not_unpacked(cage: Cage, released: Path) -> None:
    rewritten(released / PICKLED, compression=zipfile.ZIP_DEFLATED, zeros_mb=500)
    assert (released / PICKLED).stat().st_size < 10 * MB
    require_refused(cage.call("checkpoint", released), grown_mb=200)


def test_an_archive_that_is_its_own_content_many_times_over_is_refused(cage: Cage, released: Path) -> None:
    """The entries of such a bomb lie over each other, without any compression."""
    path = released / PICKLED
    content = path.read_bytes()
    start = content.rindex(b"PK\x05\x06")
    count, size, offset = struct.unpack("<H2I", content[start + 10 : start + 20])
    entries = content[offset : offset + size] * 50
    ending = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, count * 50, count * 50, len(entries), offset, 0)
    path.write_bytes(content[:offset] + entries + ending)
    require_refused(cage.call("checkpoint", released))


def test_numbers_that_are_not_in_the_archive_are_not_read_from_elsewhere(cage: Cage, released: Path) -> None:
    path = released / PICKLED
    with zipfile.ZipFile(path) as old:
        content = {info.filename: old.read(info) for info in old.infolist()}
    with zipfile.ZipFile(path, "w") as new:
        for name, data in content.items():
            new.writestr(zipfile.ZipInfo(name), data[:8] if "/data/" in name else data)
    require_refused(cage.call("checkpoint", released))


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_an_archive_that_was_cut_off_is_refused(cage: Cage, released: Path, share: float) -> None:
    content = (released / PICKLED).read_bytes()
    (released / PICKLED).write_bytes(content[: int(len(content) * share)])
    require_refused(cage.call("checkpoint", released))


# ---- safetensors ----


def parts(path: Path) -> tuple[Header, bytes]:
    content = path.read_bytes()
    length = struct.unpack("<Q", content[:8])[0]
    return json.loads(content[8 : 8 + length]), content[8 + length :]


def packed(header: Header | bytes, data: Iterable[bytes] = (), *, length: int | None = None) -> bytes:
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(raw) if length is None else length) + raw + b"".join(data)


def changed(**fields: Any) -> Callable[[Header, bytes], bytes]:
    """The first tensor of the file with other fields."""

    def change(header: Header, data: bytes) -> bytes:
        first = next(name for name in header if name != "__metadata__")
        return packed({**header, first: {**header[first], **fields}}, [data])

    return change


def twice(header: Header, data: bytes) -> bytes:
    """A name that is there two times, with other places."""
    whole = json.dumps(header)
    again = '"embeddings.LayerNorm.bias": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}'
    return packed(f"{whole[:-1]}, {again}}}".encode(), [data])


# ruff: noqa: ARG005
LIES: dict[str, Callable[[Header, bytes], bytes]] = {
    "empty": lambda header, data: b"",
    "seven bytes": lambda header, data: b"1234567",
    "a header of 2^63 bytes": lambda header, data: packed(header, [data], length=1 << 63),
    "a header of all bytes": lambda header, data: packed(header, [data], length=(1 << 64) - 1),
    "a header as long as the file": lambda header, data: packed(header, [data], length=len(data)),
    "a header of nothing": lambda header, data: packed(b"", [data]),
    "a header of 200 MB": lambda header, data: packed(json.dumps(header).encode().ljust(200 * MB), [data]),
    "a header that is a list": lambda header, data: packed(b"[]", [data]),
    "a deep header": lambda header, data: packed(b'{"a":' * 100_000 + b"1" + b"}" * 100_000, [data]),
    "a header that is not UTF-8": lambda header, data: packed(b'{"\xff": 1}', [data]),
    "negative offsets": changed(data_offsets=[-4, 0]),
    "offsets behind the end": changed(data_offsets=[0, 1 << 40]),
    "offsets of 2^64": changed(data_offsets=[0, 1 << 64]),
    "offsets in the wrong order": changed(data_offsets=[128, 0]),
    "offsets over each other": changed(data_offsets=[0, 256]),
    "one offset": changed(data_offsets=[0]),
    "a shape of 2^62 squared": changed(shape=[1 << 62, 1 << 62]),
    "a negative shape": changed(shape=[-32]),
    "a shape of a fraction": changed(shape=[0.5]),
    "a shape of nothing": changed(shape=[0, 10**15], data_offsets=[0, 0]),
    "a thousand dimensions": changed(shape=[1] * 1000),
    "another dtype": changed(dtype="F64"),
    "a dtype nobody knows": changed(dtype="PICKLE"),
    "a dtype of bits": changed(dtype="F4"),
    "metadata that is no text": lambda header, data: packed({**header, "__metadata__": {"format": 1}}, [data]),
    "a name twice": twice,
    "data that is missing": lambda header, data: packed(header),
    "data after the end": lambda header, data: packed(header, [data, bytes(64)]),
    "a name nobody asked for": lambda header, data: packed(
        {f"../../{name}": entry for name, entry in header.items()}, [data]
    ),
}


@pytest.mark.parametrize("lie", LIES)
def test_weights_that_lie_are_refused(cage: Cage, encoder: Path, lie: str) -> None:
    header, data = parts(encoder / SAFE)
    (encoder / SAFE).write_bytes(LIES[lie](header, data))
    outcome = cage.call("checkpoint", encoder)
    require_refused(outcome)
    assert outcome.seconds < 5


@pytest.mark.parametrize("lie", LIES)
@pytest.mark.parametrize("name", [SAFE, "heads.safetensors"])
def test_weights_that_lie_are_refused_in_a_bundle_whose_digests_are_right(
    cage: Cage, tmp_path: Path, tiny_bundle: Path, name: str, lie: str
) -> None:
    from models.manifest import write_manifest

    directory = tmp_path / "bundle"
    shutil.copytree(tiny_bundle, directory)
    header, data = parts(directory / name)
    (directory / name).write_bytes(LIES[lie](header, data))
    write_manifest(directory)
    outcome = cage.call("served", directory)
    if lie == "a name nobody asked for" and name == "heads.safetensors":
        assert outcome.fell == ""  # a bundle without heads
    else:
        require_refused(outcome)


# ---- where they lead ----


def test_weights_in_parts_are_not_looked_for_elsewhere(cage: Cage, encoder: Path, tmp_path: Path, runs: Runs) -> None:
    (encoder / SAFE).rename(tmp_path / "elsewhere.safetensors")
    (tmp_path / "elsewhere.bin").write_bytes(as_torch({"a": runs}))
    names = [name for name in parts(tmp_path / "elsewhere.safetensors")[0] if name != "__metadata__"]
    for index, part in ((f"{SAFE}.index.json", "elsewhere.safetensors"), (f"{PICKLED}.index.json", "elsewhere.bin")):
        for place in (f"../{part}", str(tmp_path / part)):
            told = {"metadata": {}, "weight_map": dict.fromkeys(names, place)}
            (encoder / index).write_text(json.dumps(told))
            require_refused(cage.call("checkpoint", encoder))
        (encoder / index).unlink()
