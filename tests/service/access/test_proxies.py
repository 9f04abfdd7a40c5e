from typing import Any

import pytest

from service.access.proxies import caller_of, networks_in_list, share_of

TRUSTED = "10.0.0.0/8, fd00::/8, 192.0.2.7"


def caller(peer: str | None, *forwarded: bytes, trusted: str = TRUSTED) -> str:
    headers = [(b"x-forwarded-for", value) for value in forwarded]
    scope: dict[str, Any] = {"client": (peer, 1234) if peer else None, "headers": headers}
    return caller_of(scope, networks_in_list(trusted))


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("10.1.2.3", [b"198.51.100.1"], "198.51.100.1"),
        ("10.1.2.3", [], "10.1.2.3"),
        ("10.1.2.3", [b""], "10.1.2.3"),
        ("198.51.100.9", [b"203.0.113.1"], "198.51.100.9"),  # no proxy of ours has written that
        ("10.1.2.3", [b"203.0.113.1, 198.51.100.1"], "198.51.100.1"),  # what stands before came from the caller
        ("10.1.2.3", [b"203.0.113.1, 198.51.100.1, 10.9.9.9,192.0.2.7"], "198.51.100.1"),
        ("10.1.2.3", [b"203.0.113.1", b"198.51.100.1", b"10.9.9.9"], "198.51.100.1"),  # in several headers
        ("10.1.2.3", [b"10.7.7.7, 10.8.8.8"], "10.7.7.7"),
        ("10.1.2.3", [b"198.51.100.1:5555"], "198.51.100.1"),
        ("10.1.2.3", [b"[2001:db8::1]:5555"], "2001:db8::1"),
        ("fd00::1", [b"2001:DB8:0::1"], "2001:db8::1"),
        ("::ffff:10.1.2.3", [b"::ffff:198.51.100.1"], "198.51.100.1"),
        ("10.1.2.3", [b"198.51.100.1, nonsense"], "10.1.2.3"),
        ("10.1.2.3", [b"198.51.100.1, nonsense, 10.9.9.9"], "10.9.9.9"),
        ("10.1.2.3", [b"unknown"], "10.1.2.3"),
        ("10.1.2.3", [b"\xff\x00, _hidden"], "10.1.2.3"),
        ("10.1.2.3", [b"," * 1000], "10.1.2.3"),
        ("localhost", [b"198.51.100.1"], "unknown"),
        (None, [b"198.51.100.1"], "unknown"),
    ],
)
def test_the_caller_is_the_last_address_that_no_proxy_of_ours_has(
    peer: str | None, forwarded: list[bytes], expected: str
) -> None:
    assert caller(peer, *forwarded) == expected


def test_nothing_is_believed_unless_it_is_asked_for() -> None:
    assert caller("127.0.0.1", b"198.51.100.1", trusted="") == "127.0.0.1"
    assert caller("127.0.0.1", b"198.51.100.1", trusted="127.0.0.1") == "198.51.100.1"


@pytest.mark.parametrize("text", ["10.0.0.0/33", "10.0.0.1/8", "proxy.local", "*", "10.0.0.0/8;::1"])
def test_what_is_no_network_is_told(text: str) -> None:
    with pytest.raises(ValueError, match="is no address and no network"):
        networks_in_list(text)


def test_a_caller_has_all_of_a_small_ipv6_network_and_one_ipv4_address() -> None:
    assert share_of("2001:db8::1") == share_of("2001:db8::ffff:1") == "2001:db8::/64"
    assert share_of("2001:db8:0:1::1") != share_of("2001:db8::1")
    assert share_of("198.51.100.1") == "198.51.100.1"
    assert share_of("unknown") == "unknown"
