"""The exported model that ONNX Runtime and OpenVINO read, made once and kept in the cache."""

import subprocess
from pathlib import Path

from rich.console import Console

from benchmarks.peers.environments import cache
from benchmarks.peers.worker import ROOT, environment
from models.files import replaced_directory, sha256_of

_SOURCE = Path(__file__).parent / "ways" / "export_onnx.py"


def exported(model: Path, python: Path, console: Console) -> Path:
    """The directory with `float32.onnx` and `int8.onnx`.

    Args:
        model: a directory with `model.safetensors`.
        python: the interpreter of the environment that exports.
        console: told where it takes a while.

    Raises:
        RuntimeError: the export failed; its last line is told.
    """
    target = cache() / f"onnx-{sha256_of(model / 'model.safetensors')[:12]}-{sha256_of(_SOURCE)[:12]}"
    if not target.is_dir():
        console.print(f"exporting {model.name} to ONNX")
        command = [str(python), "-m", "benchmarks.peers.ways.export_onnx", str(model)]
        with replaced_directory(target) as scratch:
            done = subprocess.run(
                [*command, str(scratch)], cwd=ROOT, env=environment(1), capture_output=True, text=True, check=False
            )
            if done.returncode:
                raise RuntimeError(f"{model}: the export to ONNX failed: {done.stderr.strip().splitlines()[-1]}")
    return target
