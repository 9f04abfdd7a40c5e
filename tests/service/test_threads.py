import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from models.cores import usable_cores
from service.threads import blas_threads, openmp_threads, tokenizer_threads

ROOT = Path(__file__).parents[2]
HOSTILE = {"OMP_NUM_THREADS": "64", "OPENBLAS_NUM_THREADS": "64", "TOKENIZERS_PARALLELISM": "true"}

TELL = """
import json, sys
from models.cores import usable_cores
from service.threads import blas_threads, limit_threads, openmp_threads, tokenizer_threads
limit_threads(int(sys.argv[1]))
loaded = sorted({"numpy", "torch", "faiss", "tokenizers"} & set(sys.modules))
import torch
from service.search.indexes.threads import search_threads
told = {"loaded": loaded, "openmp": openmp_threads(), "blas": blas_threads(), "faiss": search_threads()}
print(json.dumps({**told, "tokenizers": tokenizer_threads()}))
"""


def test_whatever_the_environment_says_only_the_encoder_gets_more_than_one_thread() -> None:
    threads = min(2, usable_cores())
    done = subprocess.run(
        [sys.executable, "-c", TELL, str(threads)],
        cwd=ROOT,
        env={**os.environ, **HOSTILE},
        capture_output=True,
        text=True,
        check=True,
    )
    told = json.loads(done.stdout)
    assert told == {"loaded": [], "openmp": threads, "blas": 1, "faiss": 1, "tokenizers": 1}


def test_the_command_loads_no_library_before_it_limits_them() -> None:
    code = "import sys, service.cli; print(sorted({'numpy', 'torch', 'faiss', 'tokenizers'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_what_is_told_is_read_from_the_library_and_not_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    before = blas_threads()
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "17")
    assert blas_threads() == before != 17


@pytest.mark.parametrize(("parallelism", "rayon", "threads"), [("false", "4", 1), ("0", "4", 1), ("true", "4", 4)])
def test_the_tokenizers_follow_the_environment(
    monkeypatch: pytest.MonkeyPatch, parallelism: str, rayon: str, threads: int
) -> None:
    monkeypatch.setenv("TOKENIZERS_PARALLELISM", parallelism)
    monkeypatch.setenv("RAYON_NUM_THREADS", rayon)
    assert tokenizer_threads() == threads


def test_without_torch_there_is_no_openmp_to_tell_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    assert openmp_threads() is None
