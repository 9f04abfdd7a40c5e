"""The trail of changes: one log line for every request that changes data, or would have."""

import logging
from typing import Any

import structlog

from service.access.rules import Rule

# Written at every MCSE_LOG_LEVEL: a trail that ends where somebody wants fewer lines is none.
log = structlog.wrap_logger(None, wrapper_class=structlog.make_filtering_bound_logger(logging.INFO))


def write_audit(
    rule: Rule, *, who: str, role: str | None, name: str | None, points: int | None, status: int, request_id: str
) -> None:
    """Who did what, to how many points. Never a text, an id or a key.

    `name` is that of the collection or alias, which its owner has chosen; one that breaks the rule for names is left
    out, because anything could be in it.
    """
    told: dict[str, Any] = {"who": who, "role": role, "route": rule.path, "method": rule.method, "name": name}
    log.info("audit", **told, points=points, status=status, request_id=request_id)
