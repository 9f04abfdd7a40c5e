"""schemathesis finds nothing, in the short form of `make fuzz`."""

from tests.clients.fuzz import main
from tests.clients.installed import client

client("schemathesis")


def test_schemathesis_finds_nothing() -> None:
    assert main(["--max-examples=5", "--seed=1", "--generation-deterministic"]) == 0
