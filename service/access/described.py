"""The keys in the description of the interface, so that its page and generated clients can send one."""

from typing import Any

from service.access.rules import RULES

_SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer"},
    "x-api-key": {"type": "apiKey", "in": "header", "name": "x-api-key"},
}
_REFUSALS = {
    "401": {"description": "No API key, or none that is known"},
    "403": {"description": "The key's role does not go so far"},
}


def describe_keys(description: dict[str, Any]) -> None:
    """Add to an OpenAPI document, for each operation that asks for a key, that it does."""
    description.setdefault("components", {})["securitySchemes"] = _SCHEMES
    for path, operations in description["paths"].items():
        for method, operation in operations.items():
            rule = RULES.get((method.upper(), path))
            if rule is not None and rule.needed != "open":
                operation["security"] = [{name: []} for name in _SCHEMES]
                operation["responses"].update(_REFUSALS)
