"""The process of `tests.faults.cage`: a line of JSON for a call in, a line for its outcome out."""

import json
import os
import resource
import signal
import sys
import time
import traceback
from pathlib import Path
from typing import Any

from tests.faults import doors

_MB = 1 << 20


def main() -> None:
    doors.prepare()
    for line in sys.stdin:
        sys.stdout.write(json.dumps(_forked(json.loads(line))) + "\n")
        sys.stdout.flush()


def _forked(asked: dict[str, Any]) -> dict[str, Any]:
    reading, writing = os.pipe()
    resident, started = _pages(1), time.monotonic()
    child = os.fork()
    if not child:
        _live(asked, writing)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        said = pipe.read()
    _, status, used = os.wait4(child, 0)
    outcome = json.loads(said) if said else {"told": "", "answer": "", "fell": _ending(status)}
    grown = max(0, used.ru_maxrss * 1024 - resident) // _MB
    return {**outcome, "grown_mb": grown, "seconds": time.monotonic() - started}


def _live(asked: dict[str, Any], writing: int) -> None:
    """In the fork; does not come back."""
    signal.setitimer(signal.ITIMER_REAL, asked["seconds"])
    most = _pages(0) + asked["memory_mb"] * _MB
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if not asked["writes"]:
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    outcome = {"told": "", "answer": "", "fell": ""}
    try:
        outcome["answer"] = str(getattr(doors, asked["door"])(Path(asked["path"])))
    except doors.NAMED as error:
        outcome["told"] = str(error)
    except BaseException:  # panics of other languages too: the test is told
        outcome["fell"] = traceback.format_exc()[-3000:]
    os.write(writing, json.dumps(outcome).encode())
    os._exit(0)


def _ending(status: int) -> str:
    if os.WIFSIGNALED(status):
        return f"ended by {signal.Signals(os.WTERMSIG(status)).name}"
    return f"ended with status {os.waitstatus_to_exitcode(status)}"


def _pages(which: int) -> int:
    """Bytes of this process: 0 is its address space, 1 is what is resident."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[which]) * resource.getpagesize()


if __name__ == "__main__":
    main()
