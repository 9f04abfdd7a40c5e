"""Rejected records: all of them into a file of JSONL, the first ones into the summary."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from service.importing.records import Rejection


class RejectionLog:
    """Appends to a file that may be cut back to where a run was last saved."""

    def __init__(self, file: BinaryIO | None, size: int = 0) -> None:
        self._file = file
        self.size = size

    def write(self, name: str, rejections: Iterable[Rejection]) -> list[dict[str, Any]]:
        """Add these of the file `name`; returns them as they are written."""
        lines = [{"file": name, "line": line, "reason": reason} for line, reason in rejections]
        if self._file is not None and lines:
            content = b"".join(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE) for line in lines)
            self._file.write(content)
            self._file.flush()
            self.size += len(content)
        return lines


@contextmanager
def rejection_log(path: Path | None, size: int) -> Iterator[RejectionLog]:
    """The log in `path`, of which the first `size` bytes are kept; one without a file where there is no path."""
    if path is None:
        yield RejectionLog(None)
        return
    with path.open("ab") as file:
        size = min(size, file.tell())
        file.truncate(size)
        yield RejectionLog(file, size)
