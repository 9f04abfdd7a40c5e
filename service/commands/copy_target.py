"""The two ends of a copy: the collection that is read, and the new one that it goes into."""

from typing import Any

from service.commands.client import Client, collection_path
from service.commands.copying import Copied
from service.commands.describe import Service, description_of
from service.commands.errors import CommandError
from service.commands.state import State

_MADE_AS = ("space", "metric", "index", "storage", "description")


def require_source(client: Client, name: str) -> dict[str, Any]:
    """What the service says of the collection; raises CommandError."""
    found = description_of(client, name)
    if found is None:
        raise CommandError(f"{client.url} has no collection {name}. `mcse collections --url {client.url}` lists them.")
    return found


def begin(client: Client, service: Service, name: str, like: dict[str, Any], state: State, *, resume: bool) -> Copied:
    """Make the collection `name` as `like` is, or go on with it; returns how far it is.

    Raises CommandError where there is one and nobody said to go on with it, and Refused.
    """
    found = description_of(client, name)
    saved = state.load() if resume else None
    if found is None:
        made_as = {option: like[option] for option in _MADE_AS}
        client.call("PUT", collection_path(name), made_as)
        return Copied()
    if found["name"] != name:
        raise CommandError(f"{name} is an alias for {found['name']}. Give another name with --into.")
    if not resume:
        raise CommandError(f"There is a collection {name} already. Go on with --resume, or give a name with --into.")
    if found["model_fingerprint"] != service.fingerprint:
        raise CommandError(f"The collection {name} is of another model than {client.url} runs. Give another name.")
    return Copied() if saved is None else Copied(**saved)


def refuse_rejected(copied: Copied, name: str) -> None:
    """Raises CommandError where points were not taken."""
    if copied.rejected:
        raise CommandError(
            f"{copied.rejected:,} points were rejected and are not in {name}: {'; '.join(copied.reasons)}. "
            "Correct or delete them, and go on with --resume."
        )
