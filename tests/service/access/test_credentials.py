import pytest

from service.access.credentials import key_of
from service.access.keys import Keys, keys_in_list
from service.errors import Unauthorized

GOOD, OTHER = "s3cret-0123456789", "0ther-0123456789"
KEYS = Keys(keys_in_list(f"read:app:{GOOD},admin:me:{OTHER}"))


@pytest.mark.parametrize(
    "headers",
    [
        [(b"authorization", b"Bearer " + GOOD.encode())],
        [(b"authorization", b"bearer   " + GOOD.encode() + b" ")],
        [(b"authorization", GOOD.encode())],
        [(b"x-api-key", GOOD.encode())],
        [(b"api-key", b" " + GOOD.encode())],
        [(b"api-key", GOOD.encode()), (b"authorization", b"Bearer " + GOOD.encode())],
        [(b"x-api-key", b""), (b"authorization", b"Bearer"), (b"api-key", GOOD.encode())],
    ],
)
def test_a_key_is_taken_as_the_clients_send_it(headers: list[tuple[bytes, bytes]]) -> None:
    assert key_of(headers, KEYS).name == "app"


@pytest.mark.parametrize(
    ("headers", "told"),
    [
        ([], "asks for an API key"),
        ([(b"authorization", b"Bearer ")], "asks for an API key"),
        ([(b"cookie", GOOD.encode())], "asks for an API key"),
        ([(b"authorization", b"Basic " + GOOD.encode())], "not known"),
        ([(b"authorization", b"Bearer Bearer " + GOOD.encode())], "not known"),
        ([(b"x-api-key", GOOD.encode() + b"," + GOOD.encode())], "not known"),
        ([(b"x-api-key", b"\xff\xfe" * 10)], "not known"),
        ([(b"x-api-key", GOOD.encode()), (b"api-key", OTHER.encode())], "Different"),
        ([(b"authorization", b"Bearer " + GOOD.encode()), (b"authorization", OTHER.encode())], "Different"),
        ([(b"x-api-key", GOOD.encode()), (b"authorization", b"Bearer nobody-0123456789")], "Different"),
    ],
)
def test_what_is_no_key_or_more_than_one_is_refused(headers: list[tuple[bytes, bytes]], told: str) -> None:
    with pytest.raises(Unauthorized, match=told) as caught:
        key_of(headers, KEYS)
    assert GOOD not in caught.value.message
    assert caught.value.headers() == {"www-authenticate": "Bearer"}
