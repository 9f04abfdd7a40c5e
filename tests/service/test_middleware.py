from collections.abc import Callable
from typing import Any

import httpx
from structlog.testing import capture_logs

Start = Callable[..., httpx.Client]


def test_an_unexpected_error_is_a_500_in_our_shape_and_a_line_with_its_place(start: Start) -> None:
    client = start()

    def broken() -> Any:
        raise KeyError("canary")

    object.__setattr__(client.app.state.services, "collections", type("Broken", (), {"list": staticmethod(broken)}))  # type: ignore[attr-defined]
    with capture_logs() as lines:
        answer = client.get("/collections", headers={"x-request-id": "mine"})
    assert answer.status_code == 500
    assert answer.json()["error_type"] == "Internal"
    assert answer.headers["x-request-id"] == "mine"
    assert "canary" not in answer.text
    (failed,) = [line for line in lines if line["event"] == "request_failed"]
    assert failed["exception"] == "KeyError"
    assert failed["request_id"] == "mine"
    assert "broken" in failed["traceback"][-1]
    assert "canary" not in str(lines)
    assert [line["status"] for line in lines if line["event"] == "request"] == [500]
