"""The collection that a command writes to: there already, or made for it."""

from collections.abc import Mapping
from typing import Any

from service.commands.client import Client, collection_path
from service.commands.describe import Service, description_of
from service.commands.errors import CommandError


def require_collection(
    client: Client, service: Service, name: str, made_as: Mapping[str, Any] | None
) -> dict[str, Any]:
    """What the service says of the collection, which can be written to.

    `made_as` is how it is to be made where it is missing, and what it must be where it is there; None makes none.
    Raises CommandError, and Refused for what the service does not make.
    """
    found = description_of(client, name)
    if found is None and made_as is None:
        raise CommandError(
            f"{client.url} has no collection {name}. Leave --no-create out to make it, or correct --collection."
        )
    if found is None:
        return client.call("PUT", collection_path(name), dict(made_as or {}))
    for option, value in (made_as or {}).items():
        if found[option] != value:
            raise CommandError(
                f"The collection {name} is there with {option} {found[option]}, not {value}. Give another name."
            )
    if found["model_fingerprint"] != service.fingerprint:
        raise CommandError(
            f"The collection {name} is of another model ({found['model_fingerprint'][:12]}, the service runs "
            f"{service.fingerprint[:12]}). Make its vectors anew with `mcse reindex --collection {name}`."
        )
    return found
