"""Where the graph's kernel is, and when it is built anew."""

import platform
import sys
from pathlib import Path

import pytest

from models.compiler import COMPILE
from service.search.graph import build, library

SOURCE = 'extern "C" int answer() { return %d; }\n'


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A kernel of one function, and nothing built."""
    (tmp_path / "kernel").mkdir()
    (tmp_path / "kernel" / "kernel.cpp").write_text(SOURCE % 42)
    monkeypatch.setattr(build, "KERNEL", tmp_path / "kernel")
    monkeypatch.setattr(build, "BUILT", tmp_path / "built")
    return tmp_path


def on(monkeypatch: pytest.MonkeyPatch, *flags: str) -> None:
    monkeypatch.setattr(build, "flags", lambda: frozenset(flags))


V3 = ("avx2", "fma", "bmi2")
V4 = ("avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl", "avx512_vnni")


@pytest.mark.parametrize(
    ("flags", "name"),
    [
        ((*V3, *V4), "x86_64_v4+avx512vnni"),
        ((*V3, *V4[:-1]), "x86_64_v3"),
        (V3, "x86_64_v3"),
        (V3[:-1], None),
        ((), None),
    ],
)
def test_the_kernel_is_made_for_the_best_that_the_processor_can_do(
    monkeypatch: pytest.MonkeyPatch, flags: tuple[str, ...], name: str | None
) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    on(monkeypatch, *flags)
    assert build.processor() == name


@pytest.mark.parametrize(("system", "machine"), [("darwin", "x86_64"), ("linux", "aarch64"), ("win32", "AMD64")])
def test_other_machines_have_no_kernel(monkeypatch: pytest.MonkeyPatch, system: str, machine: str) -> None:
    on(monkeypatch, *V3, *V4)
    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.setattr(platform, "machine", lambda: machine)
    assert build.processor() is None
    assert build.library_path() is None
    assert library.is_built() is False
    build.main()


def test_another_source_another_file_or_another_processor_is_another_library(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    on(monkeypatch, *V3, *V4)
    paths = [build.library_path(), build.library_path()]
    (place / "kernel" / "more.h").write_text("// more\n")
    paths.append(build.library_path())
    (place / "kernel" / "kernel.cpp").write_text(SOURCE % 43)
    paths.append(build.library_path())
    on(monkeypatch, *V3)
    paths.append(build.library_path())
    monkeypatch.setattr(build, "COMPILE", (*COMPILE, "-g"))
    paths.append(build.library_path())
    assert paths[0] == paths[1]
    assert len(set(paths)) == 5


@pytest.mark.skipif(build.processor() is None, reason="no kernel for this machine")
def test_building_makes_what_is_missing_and_takes_away_what_is_old(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built = place / "built"
    built.mkdir()
    (built / "graph-0000000000000000.so").write_bytes(b"old")
    assert not library.is_built()
    build.main()
    path = build.library_path()
    assert path is not None
    assert [*built.iterdir()] == [path]
    assert library.is_built()
    first = path.stat().st_mtime_ns
    build.main()
    assert path.stat().st_mtime_ns == first
