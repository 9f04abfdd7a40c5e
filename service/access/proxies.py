"""Who is calling: the address of the connection, or what a trusted proxy says of it."""

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from starlette.types import Scope

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

NOBODY = "unknown"  # a connection that is gone already has no address


def networks_in_list(text: str) -> tuple[Network, ...]:
    """The networks and addresses of a comma-separated list; raises ValueError."""
    found = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        try:
            found.append(ip_network(part))
        except ValueError:
            raise ValueError(f"{part} is no address and no network such as 10.0.0.0/8 or fd00::/8") from None
    return tuple(found)


def caller_of(scope: Scope, trusted: Sequence[Network]) -> str:
    """The address of the caller, as text.

    Each proxy writes the address that it was called from at the end of `X-Forwarded-For`. So this reads from the end,
    as long as a trusted proxy has written: the first address that is not one of theirs is the caller's.
    """
    client = scope.get("client")
    address = None if client is None else _parsed(client[0])
    if address is None:
        return NOBODY
    for written in _forwarded(scope["headers"]) if trusted else ():
        if not _is_in(address, trusted):
            break
        before = _parsed(written)
        if before is None:
            break
        address = before
    return str(address)


def share_of(caller: str) -> str:
    """Whose share of a limit an address uses up: in IPv6 that of its /64, because a caller has all of those."""
    return str(ip_network((caller, 64), strict=False)) if ":" in caller else caller


def _forwarded(headers: Iterable[tuple[bytes, bytes]]) -> list[str]:
    """All of `X-Forwarded-For`, the last one first."""
    values = [value.decode("latin-1") for name, value in headers if name == b"x-forwarded-for"]
    return ",".join(values).split(",")[::-1] if values else []


def _parsed(written: str) -> Address | None:
    """An address, which may come with a port; an IPv4 address that is written as IPv6 is one of IPv4."""
    text = written.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address


def _is_in(address: Address, networks: Sequence[Network]) -> bool:
    return any(address.version == network.version and address in network for network in networks)
