"""The certificate that the service shows, taken anew when its files change."""

import ssl
from pathlib import Path

import structlog

from service.access.watched import Watched
from service.errors import SettingsError

log = structlog.get_logger()


class Certificate:
    """What TLS connections begin with. Used on the event loop."""

    def __init__(self, certificate: Path, key: Path) -> None:
        """Raises SettingsError for files that cannot be used."""
        self._files = (certificate, key)
        self._watched = Watched(self._files)
        try:
            self._context = _context(*self._files)
        except ValueError as error:
            raise SettingsError(f"Settings MCSE_TLS_CERT and MCSE_TLS_KEY: {error}.") from None

    def context(self) -> ssl.SSLContext:
        """For the next connection; what it was before, where the files cannot be used any more."""
        if self._watched.changed():
            try:
                self._context = _context(*self._files)
            except ValueError as error:  # a renewal may have come to the first of the two files so far
                log.error("certificate_not_reloaded", reason=str(error))
            else:
                log.info("certificate_reloaded")
        return self._context


def _context(certificate: Path, key: Path) -> ssl.SSLContext:
    """TLS 1.2 or newer, for HTTP/1.1; raises ValueError."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.set_alpn_protocols(["http/1.1"])
    for path in (certificate, key):
        try:
            path.read_bytes()
        except OSError as error:
            raise ValueError(f"{path} cannot be read ({error.strerror})") from None
    try:
        context.load_cert_chain(certificate, key, password=_no_password)
    except (OSError, ValueError):  # ssl.SSLError is an OSError; its text names lines of OpenSSL
        raise ValueError(
            f"{certificate} and {key} are not a certificate and its private key, both as PEM and the key without a "
            "password"
        ) from None
    return context


def _no_password() -> str:
    """Without this, OpenSSL would ask for one at the terminal."""
    return ""
