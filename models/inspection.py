"""A look over a model directory before any library opens it, so that what strangers wrote into it is refused by name
instead of filling the memory, taking for ever or leading to other files."""

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

from models.errors import CheckpointError
from models.manifest import CURE, read_json, require_file

MOST_BYTES = 128 * 1024 * 1024  # of a file of settings or of a tokenizer; the largest known are a third of it
MOST_LAYERS = 1_000
MOST_TOKENS = 1 << 22  # the library makes a list as long as the largest number of a token
MOST_ADDED = 1 << 22  # characters of them with what is told of them; the library takes a hundred times as many bytes
MOST = 1 << 32  # any whole number in a config.json; tokenizers state more, and for another purpose

_SETTINGS = ("*.json", "*.txt", "*.model", "*.jinja", "*.safetensors", "*.bin")
_WEIGHTS = (".safetensors", ".bin")
_COUNTS = re.compile(r"(?:^|_)(?:sizes?|heads|layers?|depths?|dims?|embeddings)$")
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
            least = 0 if _COUNTS.search(name) else -MOST
            if not least <= value <= most:
                raise CheckpointError(f"{config}: its {name} is not from {least} to {most}. {CURE}")
    _check_tokens(directory)


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


def _check_tokens(directory: Path) -> None:
    """Refuse numbers of tokens that no vocabulary reaches."""
    path = directory / "tokenizer.json"
    if path.exists():
        content = read_json(path, most_bytes=MOST_BYTES)
        model = content.get("model")
        vocabulary = model.get("vocab") if isinstance(model, dict) else None
        numbers = [*vocabulary.values()] if isinstance(vocabulary, dict) else []
        added, processor = content.get("added_tokens"), content.get("post_processor")
        own = [number for part in (added, processor) for _, number in _whole_numbers(part)]
        _require_tokens(path, [*numbers, *own], added)
    path = directory / "tokenizer_config.json"
    if path.exists():
        added = read_json(path).get("added_tokens_decoder")
        keys = added if isinstance(added, dict) else {}
        _require_tokens(path, [int(key) for key in keys if key.isdecimal()], added)


def _require_tokens(path: Path, numbers: Sequence[object], added: object) -> None:
    if not all(isinstance(number, int) and 0 <= number < MOST_TOKENS for number in numbers):
        raise CheckpointError(f"{path}: a token has a number that is not from 0 to {MOST_TOKENS - 1}. {CURE}")
    if len(str(added)) > MOST_ADDED:
        raise CheckpointError(f"{path}: its added tokens are longer than {MOST_ADDED} characters in all. {CURE}")


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
