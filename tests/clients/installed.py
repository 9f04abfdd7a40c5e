"""Clients that are not installed everywhere, and equality of what they answer with."""

import warnings
from typing import Any

import numpy as np
import pytest

from tests.clients.servers import Vectors


def client(module: str) -> Any:
    """The module of a client; the tests of the file are skipped where it is absent."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what others' imports warn of is theirs
        return pytest.importorskip(module, reason=f"{module} is not here; `make test` or `make test-clients` has it")


def assert_same(found: Any, expected: Vectors) -> None:
    """Equal to the last bit of a float32."""
    np.testing.assert_array_equal(np.array(found, dtype=np.float32), expected, strict=True)
