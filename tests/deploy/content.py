"""What a file system of an image holds that it need not hold; it comes as `docker export` gives it."""

import re
import tarfile
from collections.abc import Iterator
from typing import IO

_BINARY = re.compile(r"(?:^|/)(?:s?bin|libexec)/(?P<name>[^/]+)$")
_TOOLS = re.compile(
    r"(?:[\w-]+-)?(?:gcc|g\+\+|cc|c\+\+|cpp|clang(?:\+\+)?|ld(?:\.bfd|\.gold|\.lld)?|as|gold|make|cmake|ninja|meson|zig|rustc|cargo|go"
    r"|nvcc|javac|pip|pip3|easy_install|uv|uvx|conda|npm|git|hg|svn|curl|wget|ssh|scp|gdb|strace|nc|ncat|telnet)"
    r"(?:-?[\d.]+)?"
)
_PATHS: dict[str, re.Pattern[str]] = {
    "a package that installs or compiles": re.compile(
        r"(?:^|/)(?:site|dist)-packages/(?:pip|uv|ziglang|wheel|virtualenv)(?:-[\w.]+\.dist-info)?/|(?:^|/)ensurepip/"
    ),
    "headers or archives of a compiler": re.compile(
        r"-packages/.*\.(?:h|hpp|cuh|a|o|pxd|pyx)$|(?:^|/)usr/include/.*\.h$"
    ),
    "tests": re.compile(r"-packages/.*/(?:tests/.*|conftest)\.py$|^app/(?:tests/|.*/(?:test_[^/]*|conftest)\.py$)"),
    "another room of the project": re.compile(r"(?:^|/)app/(?:training|benchmarks|configs|docs|\.ci|\.github)(?:/|$)"),
    "what builds the image": re.compile(
        r"^(?:app/)?(?:Dockerfile|docker-compose\.yml|requirements[\w-]*\.(?:lock|txt))$"
    ),
    "a history": re.compile(r"(?:^|/)\.(?:git|hg|svn)(?:/|$)"),
    "a cache": re.compile(
        r"(?:^|/)(?:root|home/\w+)/\.\w*cache/.|(?:^|/)\.(?:mypy|ruff|pytest|hypothesis)\w*/.|(?:^|/)var/cache/apt/.*\.deb$"
        r"|(?:^|/)var/lib/apt/lists/.*_(?:In)?Release$|(?:^|/)tmp/."
    ),
    "settings of somebody": re.compile(
        r"(?:^|/)(?:\.env|\.netrc|\.pypirc|\.npmrc|pip\.conf|id_(?:rsa|ed25519|ecdsa))$"
    ),
}
_KEY = re.compile(rb"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----\r?\n(?:[\w-]+: .*\r?\n|\r?\n)*[A-Za-z0-9+/=]{32}")
_MOST_BYTES = 1 << 20  # of a file that may hold a key
_SPECIAL, _SETUID, _OTHERS_WRITE, _STICKY = ("dev/", "./dev/"), 0o6000, 0o002, 0o1000


def complaints(archive: IO[bytes]) -> Iterator[str]:
    """A line for each file that should not be there, as the archive goes by."""
    with tarfile.open(fileobj=archive, mode="r|*") as files:
        for member in files:
            name = member.name.removeprefix("./")
            yield from (f"/{name}: {what}" for what in (*_named(name, member), *_allowed(name, member)))
            if member.isreg() and member.size <= _MOST_BYTES:
                content = files.extractfile(member)
                if content is not None and _KEY.search(content.read()):
                    yield f"/{name}: a private key"


def _named(name: str, member: tarfile.TarInfo) -> Iterator[str]:
    found = _BINARY.search(name)
    if found and not member.isdir() and _TOOLS.fullmatch(found["name"]):
        yield "a tool that serving does not need"
    if not member.isdir():
        yield from (what for what, pattern in _PATHS.items() if pattern.search(name))


def _allowed(name: str, member: tarfile.TarInfo) -> Iterator[str]:
    """What its mode lets somebody do."""
    if member.issym() or name.startswith(_SPECIAL):
        return
    if member.ischr() or member.isblk():
        yield "a device"
    if member.isreg() and member.mode & _SETUID:
        yield "it runs as another user"
    if member.mode & _OTHERS_WRITE and not member.mode & _STICKY:
        yield "everybody may write to it"
    if name.startswith(("app/", "opt/")) and (member.uid or member.mode & 0o020):
        yield "it may be changed by others than root"
