"""Serve, embed, write and search where there is no network but the machine's own, and count what tried to leave.

    unshare -rn python -m tests.faults.offline_life DATA_DIR

The system counts each attempt to reach an address that no route leads to. Prints what was answered as JSON.
"""

import fcntl
import json
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).resolve().parents[2]
START_WITHIN_S = 120
_SIOCGIFFLAGS, _SIOCSIFFLAGS, _IFF_UP = 0x8913, 0x8914, 0x1


def main(data_dir: str) -> None:
    """Live a whole life, and say what was seen."""
    raise_loopback()
    before = attempts()
    probe()
    counted = attempts() - before
    process = start(Path(data_dir))
    try:
        answers = life(address(process))
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=60)
    tried = attempts() - before - counted
    told = {"probe": counted, "tried": tried, "answers": answers, "status": process.returncode}
    sys.stdout.write(json.dumps(told) + "\n")


def raise_loopback() -> None:
    """A network of one's own begins with everything down."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        asked = struct.pack("16sH14s", b"lo", 0, bytes(14))
        flags = struct.unpack("16sH14s", fcntl.ioctl(control, _SIOCGIFFLAGS, asked))[1]
        fcntl.ioctl(control, _SIOCSIFFLAGS, struct.pack("16sH14s", b"lo", flags | _IFF_UP, bytes(14)))


def attempts() -> int:
    """How often anybody here has tried to reach what no route leads to, or has asked for the address of a name."""
    lines = Path("/proc/net/snmp").read_text().splitlines()
    counters = {"Ip:": "OutNoRoutes", "Udp:": "OutDatagrams"}
    total = 0
    for protocol, counter in counters.items():
        names, values = [line.split()[1:] for line in lines if line.startswith(protocol)]
        total += int(dict(zip(names, values, strict=True))[counter])
    for line in Path("/proc/net/snmp6").read_text().splitlines():
        name, value = line.split()
        total += int(value) if name in ("Ip6OutNoRoutes", "Udp6OutDatagrams") else 0
    return total


def probe() -> None:
    """Try it ourselves, to see that it is counted: two kinds of sockets, two addresses for documentation."""
    for family, kind, where in (
        (socket.AF_INET, socket.SOCK_STREAM, ("192.0.2.1", 80)),
        (socket.AF_INET, socket.SOCK_DGRAM, ("192.0.2.1", 53)),
        (socket.AF_INET6, socket.SOCK_STREAM, ("2001:db8::1", 80)),
    ):
        with socket.socket(family, kind) as outgoing:
            try:
                outgoing.connect(where)
            except OSError:
                continue
        raise AssertionError("there is a way out")


def start(data_dir: Path) -> "subprocess.Popen[str]":
    """The service with nothing but defaults: nothing tells it to stay offline."""
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("MCSE_", "HF_", "TRANSFORMERS_"))
    }
    command = [sys.executable, "-m", "service", "--port", "0", "--data-dir", str(data_dir)]
    return subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True)


def address(process: "subprocess.Popen[str]") -> str:
    """Of the line that says the service is ready; what it says later is read by nobody, and is little."""
    deadline = time.monotonic() + START_WITHIN_S
    if process.stderr is None:
        raise RuntimeError("the service has no log")
    for line in process.stderr:
        if found := re.search(r"http://[\d.]+:\d+", line):
            return found.group()
        if time.monotonic() > deadline:
            break
    raise RuntimeError("the service did not start")


def life(url: str) -> dict[str, Any]:
    """The statuses of a call of every kind."""
    point = {"id": 1, "text": "a dog in the snow", "metadata": {"url": "http://192.0.2.1/picture.jpg"}}
    calls: list[tuple[str, str, Any]] = [
        ("GET", "/readyz", None),
        ("GET", "/info", None),
        ("GET", "/docs", None),
        ("GET", "/metrics", None),
        ("POST", "/embed", {"inputs": ["a dog", "http://192.0.2.1/"]}),
        ("POST", "/similarity", {"inputs": {"source_sentence": "a dog", "sentences": ["a puppy", "a bank"]}}),
        ("PUT", "/collections/pets", {}),
        ("PUT", "/collections/pets/points", {"points": [point]}),
        ("POST", "/collections/pets/search", {"query": "a puppy", "mode": "hybrid"}),
        ("POST", "/collections/pets/snapshots", {}),
        ("DELETE", "/collections/pets", None),
    ]
    with httpx.Client(base_url=url, timeout=60) as client:
        return {
            f"{method} {path}": client.request(
                method,
                path,
                content=None if body is None else json.dumps(body).encode(),
                headers={} if body is None else {"content-type": "application/json"},
            ).status_code
            for method, path, body in calls
        }


if __name__ == "__main__":
    main(sys.argv[1])
