"""A job on files, with a small model."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from models.vectorizer import Vectorizer
from models.vectors import VectorForm
from service.commands.embedding.job import Job
from service.importing.options import ReadOptions

MakeJob = Callable[..., Job]


@pytest.fixture(scope="package")
def vectorizer(tiny_bundle: Path) -> Vectorizer:
    return Vectorizer(tiny_bundle, precision="float32", threads=1)


def job_of(*files: Path, metadata: tuple[str, ...] = (), **given: Any) -> Job:
    """What `mcse embed` makes of its defaults, but with small chunks."""
    defaults: dict[str, Any] = {
        "files": tuple(map(str, files)),
        "format": None,
        "options": ReadOptions(vector_field=None, metadata_fields=frozenset(metadata)),
        "id_prefix": None,
        "form": VectorForm(),
        "prompt": "",
        "truncate": True,
        "with_text": False,
        "rows": 8,
    }
    return Job(**{**defaults, **given})
