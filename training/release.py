"""The version of mcse that made something."""

from importlib.metadata import PackageNotFoundError, version


def release() -> str | None:
    """None where it is run from a checkout that was never installed."""
    try:
        return version("mcse")
    except PackageNotFoundError:
        return None
