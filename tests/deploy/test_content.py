"""The search through an image finds what it is meant to find; test_image.py lets it loose on the real one."""

import io
import tarfile

import pytest

from tests.deploy.content import complaints

KEY = b"-----BEGIN RSA PRIVATE KEY-----\n" + b"A" * 64 + b"\n-----END RSA PRIVATE KEY-----\n"


def found(
    name: str, content: bytes = b"", *, mode: int = 0o644, uid: int = 0, kind: bytes = tarfile.REGTYPE
) -> list[str]:
    """The complaints about an image of one file."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as files:
        member = tarfile.TarInfo(name)
        member.size, member.mode, member.uid, member.type = len(content), mode, uid, kind
        files.addfile(member, io.BytesIO(content))
    archive.seek(0)
    return [complaint.split(": ", 1)[1] for complaint in complaints(archive)]


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("usr/bin/gcc", "a tool that serving does not need"),
        ("usr/bin/x86_64-linux-gnu-gcc-12", "a tool that serving does not need"),
        ("usr/bin/cc", "a tool that serving does not need"),
        ("usr/local/bin/pip3.11", "a tool that serving does not need"),
        ("usr/bin/git", "a tool that serving does not need"),
        ("usr/bin/curl", "a tool that serving does not need"),
        ("opt/venv/lib/python3.11/site-packages/pip/__init__.py", "a package that installs or compiles"),
        ("usr/lib/python3/dist-packages/pip-23.0.1.dist-info/METADATA", "a package that installs or compiles"),
        ("opt/compiler/lib/site-packages/ziglang/zig", "a package that installs or compiles"),
        ("usr/lib/python3.11/ensurepip/_bundled/pip.whl", "a package that installs or compiles"),
        ("opt/venv/lib/python3.11/site-packages/torch/include/a.h", "headers or archives of a compiler"),
        ("usr/include/stdio.h", "headers or archives of a compiler"),
        ("opt/venv/lib/python3.11/site-packages/numpy/tests/test_a.py", "tests"),
        ("opt/venv/lib/python3.11/site-packages/torch/conftest.py", "tests"),
        ("app/tests/conftest.py", "tests"),
        ("app/service/test_app.py", "tests"),
        ("app/training/train.py", "another room of the project"),
        ("app/requirements.lock", "what builds the image"),
        ("app/.git/config", "a history"),
        ("root/.cache/pip/http/a", "a cache"),
        ("var/cache/apt/archives/a.deb", "a cache"),
        ("var/lib/apt/lists/deb.debian.org_InRelease", "a cache"),
        ("tmp/left-behind", "a cache"),
        ("etc/pip.conf", "settings of somebody"),
        ("root/.ssh/id_ed25519", "settings of somebody"),
    ],
)
def test_what_need_not_be_there_is_found(name: str, complaint: str) -> None:
    assert complaint in found(name)
    assert complaint in found(f"./{name}")


@pytest.mark.parametrize(
    "name",
    [
        "usr/bin/python3.11",
        "usr/bin/bash",
        "usr/bin/ldd",
        "usr/bin/ld.so",
        "opt/venv/lib/python3.11/site-packages/torch/_inductor/test_operators.py",
        "usr/share/doc/python3/requirements.txt",
        "opt/venv/bin/python",
        "opt/venv/lib/python3.11/site-packages/torch/testing/__init__.py",
        "opt/venv/lib/python3.11/site-packages/numpy/testing/_private/utils.py",
        "opt/venv/lib/python3.11/site-packages/pipelines/a.py",
        "app/service/__main__.py",
        "app/models/checkpoints/mcse-minilm-l6/model.safetensors",
        "etc/ssl/certs/ca-certificates.crt",
    ],
)
def test_what_belongs_there_is_let_pass(name: str) -> None:
    assert found(name) == []


def test_what_its_mode_lets_others_do_is_found() -> None:
    assert found("usr/bin/passwd", mode=0o4755) == ["it runs as another user"]
    assert found("usr/bin/wall", mode=0o2755) == ["it runs as another user"]
    assert found("etc/thing", mode=0o666) == ["everybody may write to it"]
    assert found("srv", mode=0o777, kind=tarfile.DIRTYPE) == ["everybody may write to it"]
    assert found("tmp", mode=0o1777, kind=tarfile.DIRTYPE) == []
    assert found("usr/bin/sh", mode=0o777, kind=tarfile.SYMTYPE) == []
    assert found("app/models/bundle.py", uid=10001) == ["it may be changed by others than root"]
    assert found("opt/venv/lib/a.py", mode=0o664) == ["it may be changed by others than root"]
    assert found("srv/disk", kind=tarfile.BLKTYPE) == ["a device"]


def test_a_private_key_is_found_by_its_content() -> None:
    assert found("etc/thing.txt", b"text before\n" + KEY) == ["a private key"]
    assert found("etc/thing.txt", KEY.replace(b"RSA ", b"")) == ["a private key"]
    assert found("etc/thing.txt", KEY.replace(b"RSA PRIVATE", b"PUBLIC")) == []
    assert found("usr/lib/code.py", b'START = "-----BEGIN PRIVATE KEY-----\\n"\n') == []
