"""What the last layer computes."""

import pytest
import torch

from models.runtime.architecture import describe
from models.runtime.packed_network import PackedNetwork, prepare
from models.runtime.packing import Pack, by_length, packs
from tests.conftest import WIDTH
from tests.models.runtime.families import FAMILIES, MAX_TOKENS, random_backbone, sentences


def network(family: str, *, first_only: bool) -> PackedNetwork:
    architecture = describe(random_backbone(family))
    return prepare(architecture, torch.float32, torch.device("cpu"), longest=MAX_TOKENS, first_only=first_only)


@pytest.fixture
def pack() -> Pack:
    batch = sentences(10)
    (only,) = packs(batch, by_length(batch), tokens=10 * MAX_TOKENS)
    return only


@pytest.mark.parametrize("family", FAMILIES)
def test_the_last_layer_computes_first_tokens_alone_where_no_more_is_read(family: str, pack: Pack) -> None:
    """But for a window, which the kernel for any lengths counts from the last key."""
    whole = list(network(family, first_only=False).states(pack))
    firsts = network(family, first_only=True)
    *before, last = firsts.states(pack)
    assert all(states.shape == (len(pack.ids), WIDTH) for states in (*whole, *before))
    assert firsts.first_only == (family != "modernbert, a window last")
    assert last.shape == (len(pack.firsts) if firsts.first_only else len(pack.ids), WIDTH)
    wanted = whole[-1][pack.firsts] if firsts.first_only else whole[-1]
    torch.testing.assert_close(last, wanted, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_whole_last_layer_is_there_when_it_is_asked_for(family: str, pack: Pack) -> None:
    whole = list(network(family, first_only=False).states(pack))
    asked = list(network(family, first_only=True).states(pack, whole=True))
    torch.testing.assert_close(asked[-1], whole[-1], atol=1e-5, rtol=1e-5)
