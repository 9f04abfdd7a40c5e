"""Who may come in, and how often: asked once for every request, before anything of it is read."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from starlette.types import Scope

from service.access.credentials import key_of
from service.access.keyring import KeyRing
from service.access.keys import Key
from service.access.limits import Limits
from service.access.proxies import Network, caller_of, share_of
from service.access.rules import Rule, allows, rule_for
from service.errors import Forbidden, ServiceError, Unauthorized


@dataclass(slots=True)
class Visit:
    """One request, as far as it concerns who sent it."""

    rule: Rule | None
    """What the route asks for; None where there is no such route."""
    key: Key | None = None
    refusal: ServiceError | None = None
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    """What the answer tells of the caller's limits."""
    share: str | None = None
    """Whose limits it counts for, while it does."""


class Access:
    """Keys, roles and limits of one service. Used on the event loop."""

    def __init__(self, keys: KeyRing | None, limits: Limits | None, trusted_proxies: Sequence[Network]) -> None:
        """Without `keys` everybody may do everything, and limits count by address; without `limits` there are none."""
        self._keys = keys
        self._limits = limits
        self._trusted = trusted_proxies

    def enter(self, scope: Scope) -> Visit:
        """Look at the headers of a request; every visit must `leave`. A `refusal` is to be answered."""
        visit = Visit(rule_for(scope["method"], scope["path"]))
        if visit.rule is not None and visit.rule.needed == "open":
            return visit
        try:
            if self._keys is not None:
                visit.key = key_of(scope["headers"], self._keys.keys())
            self._count(visit, scope)
            _require_role(visit)
        except ServiceError as error:
            visit.refusal = error
        return visit

    def leave(self, visit: Visit) -> None:
        """The request is answered."""
        if visit.share is not None and self._limits is not None:
            self._limits.end(visit.share)

    def caller(self, visit: Visit, scope: Scope) -> str:
        """Who sent the request: the name of the key, or the address where there are no keys."""
        return caller_of(scope, self._trusted) if visit.key is None else visit.key.name

    def _count(self, visit: Visit, scope: Scope) -> None:
        if self._limits is None:
            return
        share = share_of(self.caller(visit, scope)) if visit.key is None else visit.key.name
        try:
            self._limits.begin(share)
            visit.share = share
        finally:
            visit.headers = self._limits.headers(share)


def _require_role(visit: Visit) -> None:
    """Where the router has no such route it says so, to those who have a key."""
    if visit.key is None or visit.rule is None:
        return
    if not allows(visit.key.role, visit.rule.needed):
        raise Forbidden(f"This needs a key of the role {visit.rule.needed}; yours has the role {visit.key.role}.")


def is_known(visit: Visit) -> bool:
    """Whether it is clear who sent the request."""
    return not isinstance(visit.refusal, Unauthorized)
