"""The commands of the service: `serve` and `healthcheck`. The heavy imports wait until a command runs."""

import http.client
import inspect
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, get_args

import typer
from pydantic.fields import FieldInfo

from service.errors import StartError
from service.settings import Settings, load_settings
from service.threads import limit_threads

app = typer.Typer(add_completion=False, no_args_is_help=True, help="The mcse web service.")

HEALTHCHECK_TIMEOUT_S = 3.0


def serve(**flags: Any) -> None:
    """Serve embeddings and search over HTTP.

    Every flag is also an environment variable, MCSE_ and its name; a flag wins.
    """
    with _one_sentence_on_failure():
        settings = load_settings(**{name: value for name, value in flags.items() if value is not None})

        started = time.monotonic()  # the imports are a good part of what an operator waits for
        limit_threads(settings.encoder_threads)  # before NumPy, torch and FAISS are loaded
        from service import server

        server.serve(settings, started)


@app.command()
def healthcheck() -> None:
    """Ask the running service whether it is ready; exits with 0 or 1. For the container."""
    with _one_sentence_on_failure():
        settings = load_settings()
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)  # noqa: S104
        _ask_readiness(_connection(host, settings.port, encrypted=settings.tls_cert is not None))


def _connection(host: str, port: int, *, encrypted: bool) -> http.client.HTTPConnection:
    if not encrypted:
        return http.client.HTTPConnection(host, port, timeout=HEALTHCHECK_TIMEOUT_S)
    # Its certificate has its public name, and not the address at which it is asked from inside.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return http.client.HTTPSConnection(host, port, timeout=HEALTHCHECK_TIMEOUT_S, context=context)


def _ask_readiness(connection: http.client.HTTPConnection) -> None:
    host, port = connection.host, connection.port
    try:
        connection.request("GET", "/readyz")
        status = connection.getresponse().status
    except OSError as error:
        raise NotReadyError(f"Nothing answers on {host}:{port} ({error}).") from error
    finally:
        connection.close()
    if status != http.HTTPStatus.OK:
        raise NotReadyError(f"The service on {host}:{port} is not ready ({status}); GET /readyz says why.")


class NotReadyError(StartError):
    """The health check has failed."""


@contextmanager
def _one_sentence_on_failure() -> Iterator[None]:
    try:
        yield
    except StartError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from None


def _flag(name: str, field: FieldInfo) -> inspect.Parameter:
    """The flag of one setting. Its default is None, "not given", so that the environment is asked next."""
    return inspect.Parameter(
        name,
        inspect.Parameter.KEYWORD_ONLY,
        default=typer.Option(None, help=field.description, show_default=str(field.default), envvar=None),
        annotation=_given_or_not(field.annotation),
    )


def _given_or_not(annotation: Any) -> Any:
    return annotation if type(None) in get_args(annotation) else annotation | None


def _add_serve() -> None:
    """typer reads the flags from the signature; this one is made from the fields of Settings."""
    flags = [_flag(name, field) for name, field in Settings.model_fields.items()]
    serve.__signature__ = inspect.Signature(flags)  # type: ignore[attr-defined]
    serve.__annotations__ = {flag.name: flag.annotation for flag in flags}
    app.command()(serve)


_add_serve()
