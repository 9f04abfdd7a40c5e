"""Three honest answers: does the process live, has it started, may it get traffic.

| check | live | ready | fails when |
|---|---|---|---|
| worker | yes | yes | the compute thread is gone or stuck |
| warm_up | | yes | no forward pass has succeeded yet |
| draining | | yes | the service is stopping |
| store:... | | yes | the store says so of itself |
"""

from collections.abc import Awaitable, Callable


class Health:
    """The named checks. Used on the event loop; `store` is awaited because it reads the disk."""

    def __init__(self, *, worker: Callable[[], bool], store: Callable[[], Awaitable[list[str]]]) -> None:
        self.warm = False
        self.draining = False
        self._worker = worker
        self._store = store

    def live(self) -> list[str]:
        """Names of the failing checks whose cure is a restart."""
        return [] if self._worker() else ["worker"]

    def started(self) -> list[str]:
        """Names of the checks that hold back the first traffic."""
        return [] if self.warm else ["warm_up"]

    async def ready(self) -> list[str]:
        """Names of all failing checks."""
        failing = [*self.live(), *self.started()]
        if self.draining:
            failing.append("draining")
        return failing + [f"store:{name}" for name in await self._store()]
