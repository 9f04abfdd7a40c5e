"""A look over a model directory before any library opens it, so that what strangers wrote into it is refused by name
instead of filling the memory, taking for ever or leading to other files."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Protocol

from models.errors import CheckpointError
from models.manifest import CURE, read_json, require_file

MOST_BYTES = 512 * 1024 * 1024  # of a file of settings or of a tokenizer; the largest known are a tenth of it
MOST_LAYERS = 1_000
MOST = 1 << 32  # any whole number in a config.json; tokenizers state more, and for another purpose

_SETTINGS = ("*.json", "*.txt", "*.model", "*.jinja", "*.safetensors", "*.bin")
_WEIGHTS = (".safetensors", ".bin")
_LAYERS = re.compile(r"(?:^|_)(?:layers?|depths?|stages?|blocks?)$")


class Built(Protocol):
    """A network, which may have no numbers yet."""

    def named_parameters(self) -> Iterable[tuple[str, Any]]: ...


def inspect_directory(directory: Path) -> None:
    """Refuse a directory that holds something else than files, huge settings, or a config.json that cannot be meant.

    Raises:
        CheckpointError: names the file.
    """
    for path in sorted(path for pattern in _SETTINGS for path in directory.glob(pattern)):
        require_file(path)
        if path.suffix not in _WEIGHTS and path.stat().st_size > MOST_BYTES:
            raise CheckpointError(f"{path}: {path.stat().st_size} bytes of settings, over {MOST_BYTES}. {CURE}")
    config = directory / "config.json"
    if config.exists():
        for name, value in _whole_numbers(read_json(config)):
            most = MOST_LAYERS if _LAYERS.search(name) else MOST
            if abs(value) > most:
                raise CheckpointError(f"{config}: its {name} is beyond {most}. {CURE}")


def require_held(directory: Path, network: Built) -> None:
    """Refuse a network, made without its numbers, that has more of them than all files of weights have bytes.

    A pooler need not be in the files.

    Raises:
        CheckpointError: names the directory.
    """
    wanted = sum(parameter.numel() for name, parameter in network.named_parameters() if "pooler" not in name)
    held = sum(path.stat().st_size for path in directory.iterdir() if path.suffix in _WEIGHTS)
    if wanted > held:
        raise CheckpointError(
            f"{directory}: the model of its config.json has {wanted} numbers, and its files of weights {held} bytes. "
            "They do not belong together; fetch or export the model again."
        )


def _whole_numbers(content: object) -> Iterator[tuple[str, int]]:
    """Every whole number with the name of the setting that it is in; however deep it is."""
    waiting = [("", content)]
    while waiting:
        name, value = waiting.pop()
        if isinstance(value, dict):
            waiting += [(str(key), inner) for key, inner in value.items()]
        elif isinstance(value, list):
            waiting += [(name, inner) for inner in value]
        elif isinstance(value, int):
            yield name, value
