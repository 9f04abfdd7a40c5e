"""What one running service is made of. Built in the lifespan of the app, used by every handler."""

from collections.abc import Mapping
from dataclasses import dataclass

from starlette.types import Scope

from service.access.access import Access
from service.engine.calibration import Calibration
from service.engine.engine import Engine
from service.engine.workers import Workers
from service.model import Encoder, ServedModel
from service.search.backend import Backend
from service.settings import Settings
from service.telemetry.health import Health
from service.telemetry.metrics import Metrics


@dataclass(frozen=True, slots=True)
class Services:
    """The parts, and the thread pools in which the blocking ones are called."""

    settings: Settings
    access: Access
    model: ServedModel
    engine: Engine
    calibration: Calibration
    """Quantised vectors, by ranges that belong to the model."""
    collections: Backend
    readers: Workers
    """Threads for searches and look-ups."""
    writer: Workers
    """The one thread for everything that changes the store."""
    encoder: Encoder
    jobs: Workers
    """The thread for what takes long: snapshots, restores, measurements."""
    checks: Workers
    """The thread of health checks and scrapes, which must answer while the others are busy."""
    threads: Mapping[str, int | None]
    """Threads in force, by what they compute; known once the service has started."""
    health: Health
    metrics: Metrics


def services_of(scope: Scope) -> Services:
    """The services of the app that this request came to."""
    services: Services = scope["app"].state.services
    return services
