"""What every handler is given, and the few steps that all of them share."""

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import Depends, Path, Request

from models.config import Direction
from service.api.schemas.base import MOST_ID_CHARS, ErrorAnswer
from service.engine.engine import Embedded, TokenStates
from service.engine.part import Text
from service.engine.space import Space
from service.errors import InvalidInput, WrongMediaType
from service.record import Record, record_of
from service.search.names import NAME
from service.services import Services, services_of

# For the API description: every route answers every error in one shape. 422 is named to replace FastAPI's own.
ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"model": ErrorAnswer, "description": "Refused or failed"} for status in ("4XX", 422, "5XX")
}


async def _services(request: Request) -> Services:
    return services_of(request.scope)


async def _record(request: Request) -> Record:
    return record_of(request.scope)


async def refuse_foreign_pages(request: Request) -> None:
    """For a POST without a body, which any web page may send to this machine unasked.

    Raises WrongMediaType where the browser says that it comes from such a page.
    """
    if request.headers.get("sec-fetch-site") in ("cross-site", "same-site"):
        raise WrongMediaType("A page of another site may not send this; send it from a program, or from this site.")


Running = Annotated[Services, Depends(_services)]
Current = Annotated[Record, Depends(_record)]
Name = Annotated[str, Path(pattern=f"^{NAME.pattern}$", examples=["pets"])]
Alias = Annotated[str, Path(pattern=f"^{NAME.pattern}$", examples=["animals"])]
Id = Annotated[str, Path(min_length=1, max_length=MOST_ID_CHARS, examples=["b"])]


async def embed(
    services: Services,
    record: Record,
    texts: Sequence[Text],
    *,
    space: Space = "sentence",
    truncate: bool = True,
    direction: Direction = "right",
    prompt: str = "",
) -> Embedded:
    """Ask the engine for vectors of `texts`, each with `prompt` before it, and note on the record what it did.

    Raises what `Engine.embed` does, and InvalidInput for token ids with a prompt, or where the settings refuse them.
    """
    asked = prompted(services, texts, prompt)
    embedded = await services.engine.embed(asked, space=space, truncate=truncate, direction=direction)
    record.add(embedded)
    return embedded


async def token_states(
    services: Services,
    record: Record,
    texts: Sequence[Text],
    *,
    truncate: bool = True,
    direction: Direction = "right",
    prompt: str = "",
) -> TokenStates:
    """The same for the states of all tokens; `Engine.state_answer` says how to call it."""
    asked = prompted(services, texts, prompt)
    states = await services.engine.token_states(asked, truncate=truncate, direction=direction)
    record.add(states)
    return states


def prompted(services: Services, texts: Sequence[Text], prompt: str) -> Sequence[Text]:
    """Each text with `prompt` before it; raises InvalidInput as `embed` says."""
    strings = [text for text in texts if isinstance(text, str)]
    if len(strings) < len(texts):
        if not services.settings.accept_token_ids:
            raise InvalidInput(
                "Token ids were sent, and this service takes text: ids of another model's tokenizer would give vectors "
                "of other words. Send text, or set MCSE_ACCEPT_TOKEN_IDS=true where they are this model's own."
            )
        if prompt:
            raise InvalidInput("A prompt can stand before text, not before token ids; put its own ids before them.")
    return [prompt + text for text in strings] if prompt else texts


def require_at_most(count: int, limit: int, what: str) -> None:
    """Raises InvalidInput when a request holds more than `limit` of something."""
    if count > limit:
        raise InvalidInput(f"There are {count} {what}; the limit is {limit} per request.")
