"""How far a run has come, in a small file, so that one that was cut off can go on."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson

from models.files import write_durably
from service.commands.errors import CommandError

EVERY_S = 0.2  # a save waits for the disk; what is done since the last one is done again, which changes nothing


class State:
    """The file of one run. `task` is what must be the same for the run to go on, as plain JSON."""

    def __init__(self, path: Path, task: dict[str, Any]) -> None:
        self.path = path
        self._task = task
        self._saved_at = 0.0

    def load(self) -> dict[str, Any] | None:
        """The progress of the run that was cut off, or None if there was none.

        Raises CommandError where the file is of another run, or no such file.
        """
        try:
            saved = orjson.loads(self.path.read_bytes())
            task, progress = saved["task"], saved["progress"]
        except FileNotFoundError:
            return None
        except (orjson.JSONDecodeError, TypeError, KeyError):
            raise CommandError(f"{self.path}: this is no state of a run. Start anew, without --resume.") from None
        different = [name for name in {**task, **self._task} if task.get(name) != self._task.get(name)]
        if different:
            told = ", ".join(different)
            raise CommandError(f"{self.path}: that run had another {told}. Start anew, without --resume.")
        return dict(progress)

    def save(self, progress: dict[str, Any]) -> None:
        """Keep `progress`, unless it was kept a moment ago."""
        if time.monotonic() - self._saved_at >= EVERY_S:
            self.save_now(progress)

    def save_now(self, progress: dict[str, Any]) -> None:
        """Keep `progress`."""
        content = orjson.dumps({"task": self._task, "progress": progress}, option=orjson.OPT_INDENT_2)
        try:
            write_durably(self.path, content)
        except OSError as error:
            raise CommandError(
                f"{self.path}: cannot be written ({error.strerror}). Make it writable, or give --state another place."
            ) from error
        self._saved_at = time.monotonic()

    @contextmanager
    def kept(self, progress: Callable[[], dict[str, Any]]) -> Iterator[None]:
        """While a run goes on: a file from the start, with the last word where it breaks off.

        A CommandError is raised again with the advice to go on.
        """
        self.save_now(progress())
        try:
            yield
        except CommandError as error:
            self.save_now(progress())
            raise CommandError(f"{error} The same call with --resume goes on.") from error
        except BaseException:  # Ctrl-C too: the caller is told
            self.save_now(progress())
            raise

    def remove(self) -> None:
        """The run is complete."""
        self.path.unlink(missing_ok=True)
