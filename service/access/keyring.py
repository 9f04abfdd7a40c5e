"""The keys that are valid now: those of the environment, and those of a file that may change while the service runs."""

import stat
from collections.abc import Sequence
from pathlib import Path

import structlog

from service.access.keys import Key, Keys, keys_in_lines, keys_in_list
from service.access.watched import Watched
from service.errors import SettingsError

MOST_BYTES = 1024 * 1024

log = structlog.get_logger()


class KeyRing:
    """Used on the event loop."""

    def __init__(self, listed: str | None, path: Path | None) -> None:
        """Raises SettingsError for a list or file that cannot be used."""
        self._listed = [] if listed is None else keys_in_list(listed)
        self._path = path
        self._watched = Watched([] if path is None else [path])
        try:
            self._keys = self._read()
        except ValueError as error:
            raise SettingsError(f"Setting MCSE_API_KEYS_FILE: {error}.") from None

    def keys(self) -> Keys:
        """As the file says; as it said before, where it cannot be used any more."""
        if self._path is not None and self._watched.changed():
            try:
                self._keys = self._read()
            except ValueError as error:
                log.error("keys_not_reloaded", reason=str(error), kept=self._keys.names())
        return self._keys

    def _read(self) -> Keys:
        from_file = [] if self._path is None else _keys_of(self._path)
        if {key.digest for key in self._listed} & {key.digest for key in from_file}:
            raise ValueError("a key of the file is one of MCSE_API_KEYS, too")
        keys = Keys([*self._listed, *from_file])
        log.info("keys", keys=keys.names())
        return keys


def _keys_of(path: Path) -> Sequence[Key]:
    """Raises ValueError."""
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
            mode = stat.S_IMODE(path.stat().st_mode)
    except OSError as error:
        raise ValueError(f"the file of keys cannot be read ({error.strerror})") from None
    if len(content) > MOST_BYTES:
        raise ValueError(f"the file of keys is over {MOST_BYTES} bytes")
    try:
        keys = keys_in_lines(content.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise ValueError("the file of keys is not UTF-8") from None
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        log.warning("keys_file_readable", mode=f"{mode:04o}", cure="chmod 600, so that only the service can read it")
    return keys
