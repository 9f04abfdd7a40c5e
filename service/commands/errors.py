"""Why a command that talks to a service fails; each message is one sentence with the cure."""


class CommandError(Exception):
    """What was asked cannot be done."""


class Unreachable(CommandError):  # noqa: N818 - named after what the caller is told
    """Nobody answers, or nobody who can."""


class Refused(CommandError):  # noqa: N818 - likewise
    """The service has answered with an error."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"The service answers {status}: {message}")
        self.status = status
        self.message = message
