import pytest
import torch

from models.bench import peak
from models.bench.peak import matrix_peak
from models.runtime.base import PRECISIONS, Precision


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peak, "_SHAPES", ((64, 64, 64),))


@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_peak_is_a_rate_and_the_threads_are_put_back(precision: Precision) -> None:
    before = torch.get_num_threads()
    found = matrix_peak(precision, 2, 0.01)
    assert found is None or found > 1e6
    assert torch.get_num_threads() == before


def test_a_product_that_torch_does_not_have_is_no_peak() -> None:
    assert matrix_peak("int8", 1, 0.01, device="meta-none") is None
