import ssl
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from service.access import watched
from service.access.certificate import Certificate
from service.errors import SettingsError
from tests.service.access.conftest import Pair

MakePair = Callable[[str], Pair]


def test_a_context_speaks_tls_12_at_least_and_http_11(pair: MakePair) -> None:
    context = Certificate(*pair("first")).context()
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert context.verify_mode == ssl.CERT_NONE
    assert context.options & ssl.OP_NO_RENEGOTIATION


def test_files_that_cannot_be_used_do_not_start(pair: MakePair, tmp_path: Path) -> None:
    first, second = pair("first"), pair("second")
    locked = tmp_path / "locked.key"
    locking = ["openssl", "ec", "-in", str(first.key), "-out", str(locked), "-aes256", "-passout", "pass:secret"]
    subprocess.run(locking, check=True, capture_output=True)
    garbage = tmp_path / "garbage.pem"
    garbage.write_bytes(b"\x00" * 100)
    for files, told in (
        (Pair(first.certificate, second.key), "not a certificate and its private key"),
        (Pair(first.key, first.certificate), "not a certificate and its private key"),
        (Pair(garbage, first.key), "not a certificate and its private key"),
        (Pair(first.certificate, locked), "without a password"),
        (Pair(tmp_path / "nothing", first.key), "nothing cannot be read"),
        (Pair(first.certificate, tmp_path), "cannot be read"),
    ):
        with pytest.raises(SettingsError, match=f"Settings MCSE_TLS_CERT and MCSE_TLS_KEY: .*{told}") as caught:
            Certificate(*files)
        assert "\n" not in str(caught.value)


def test_a_renewal_holds_when_both_files_are_there(pair: MakePair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watched, "LOOK_EVERY_S", 0)
    first, second = pair("first"), pair("second")
    certificate = Certificate(*first)
    before = certificate.context()
    assert certificate.context() is before
    with capture_logs() as lines:
        second.certificate.replace(first.certificate)
        assert certificate.context() is before, "the key is still that of the old one"
        assert certificate.context() is before
        second.key.replace(first.key)
        assert certificate.context() is not before
    assert [(line["event"], line["log_level"]) for line in lines] == [
        ("certificate_not_reloaded", "error"),
        ("certificate_reloaded", "info"),
    ]
