"""Bodies that nobody should send: the fixed ones, and mutations of them that are drawn."""

import gzip
import random

CANARY = b"canary-7f3a"
FIELDS = ("inputs", "texts", "input", "prompt", "text", "query", "points", "ids", "queries", "limit")


def _everywhere(value: bytes) -> bytes:
    """A document with this value in every field that some route reads."""
    return b"{" + b", ".join(b'"%s": %s' % (name.encode(), value) for name in FIELDS) + b"}"


_VALUES: dict[str, bytes] = {
    "NaN": b"NaN",
    "infinity": b"1e999",
    "minus infinity": b"-Infinity",
    "minus zero": b"-0.0",
    "4,000 digits": b"9" * 4000,
    "5,000 digits": b"9" * 5000,
    "true": b"true",
    "null": b"null",
    "number as text": b'"5"',
    "whole float": b"5.0",
    "float": b"5.5",
    "minus one": b"-1",
    "zero": b"0",
    "2^63": b"9223372036854775808",
    "2^64": b"18446744073709551616",
    "tiny": b"1e-999",
    "leading zero": b"05",
    "plus": b"+5",
    "hexadecimal": b"0x5",
    "empty text": b'""',
    "blank text": b'"  \\n"',
    "NUL": b'"canary-7f3a \\u0000"',
    "bare NUL": b'"canary-7f3a \x00"',
    "bare line feed": b'"canary-7f3a \n"',
    "byte order mark in text": b'"\\ufeff"',
    "zero width": b'"\\u200b\\u200b"',
    "combining marks": b'"' + "e\u0301".encode() + "\u0301".encode() * 100_000 + b'"',
    "right to left": '"\u202ecanary-7f3a\u202c"'.encode(),
    "ligature": b'"' + "\ufdfa".encode() * 8192 + b'"',
    "joined emoji": b'"' + "\U0001f468\u200d".encode() * 2000 + b'"',
    "lone surrogate": b'"canary-7f3a \\ud800"',
    "reversed surrogates": b'"canary-7f3a \\udc00\\ud800"',
    "noncharacter": b'"canary-7f3a \\uffff"',
    "invalid UTF-8": b'"canary-7f3a \xff"',
    "overlong UTF-8": b'"canary-7f3a \xc0\xaf"',
    "encoded surrogate": b'"canary-7f3a \xed\xa0\x80"',
    "beyond Unicode": b'"canary-7f3a \xf4\x90\x80\x80"',
    "bad escape": b'"canary-7f3a \\x41"',
    "cut escape": b'"canary-7f3a \\u12"',
    "empty list": b"[]",
    "list of nothing": b"[[]]",
    "list of null": b"[null]",
    "mixed list": b'["canary-7f3a", 5]',
    "list of objects": b'[{"canary-7f3a": 1}]',
    "object": b'{"canary-7f3a": "canary-7f3a"}',
    "empty object": b"{}",
    "deep": b"[" * 900 + b"]" * 900,
    "deep objects": b'{"a":' * 900 + b"1" + b"}" * 900,
    "single quotes": b"'canary-7f3a'",
    "comment": b'"a" /* canary-7f3a */',
    "trailing comma": b'["canary-7f3a",]',
    "bare word": b"canary-7f3a",
    "template": b'"{{canary-7f3a}} ${canary-7f3a} %s%n"',
    "markup": b'"<script>canary-7f3a</script>"',
    "query language": b'"canary-7f3a\'; DROP TABLE points; --"',
    "path": b'"../../../../etc/passwd canary-7f3a"',
}

BODIES: dict[str, bytes] = {
    **{f"{name} everywhere": _everywhere(value) for name, value in _VALUES.items()},
    "empty": b"",
    "blank": b" \n",
    "alone: null": b"null",
    "alone: list": b"[]",
    "alone: object": b"{}",
    "alone: text": b'"canary-7f3a"',
    "alone: NaN": b"NaN",
    "alone: infinity": b"1e999",
    "alone: minus zero": b"-0.0",
    "alone: 5,000 digits": b"9" * 5000,
    "surrogate in key": b'{"\\ud800": "canary-7f3a"}',
    "unknown key": b'{"canary-7f3a": "canary-7f3a"}',
    "prototype": b'{"__proto__": {"canary-7f3a": 1}, "constructor": 1}',
    "empty key": b'{"": "canary-7f3a"}',
    "NUL in key": b'{"\\u0000canary-7f3a": 1}',
    "same key twice": b'{"inputs": "a", "inputs": 5, "query": "a", "query": 5, "points": [], "points": 5}',
    "UTF-16": '{"inputs": "canary-7f3a"}'.encode("utf-16"),
    "UTF-32": '{"inputs": "canary-7f3a"}'.encode("utf-32"),
    "byte order mark": b'\xef\xbb\xbf{"inputs": "canary-7f3a"}',
    "deep open": b"[" * 50_000,
    "deep closed": b"[" * 50_000 + b"]" * 50_000,
    "deep open objects": b'{"a":' * 50_000,
    "200,000 items": b'{"inputs": [' + b'"a",' * 199_999 + b'"a"]}',
    "2 MB of text": b'{"inputs": "' + b"canary-7f3a " * 174_763 + b'"}',
    "trailing garbage": b'{"inputs": "a"} canary-7f3a',
    "two documents": b'{"inputs": "a"}{"inputs": "canary-7f3a"}',
    "cut off": b'{"inputs": "canary-7f3a',
    "gzip": gzip.compress(b'{"inputs": "canary-7f3a"}', mtime=0),
    "form": b"inputs=canary-7f3a&query=canary-7f3a",
    "multipart": b'--x\r\ncontent-disposition: form-data; name="inputs"\r\n\r\ncanary-7f3a\r\n--x--\r\n',
    "XML": b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;canary-7f3a</a>',
    "pickle": b"cposix\nsystem\n(S'true # canary-7f3a'\ntR.",
    "all bytes": bytes(range(256)),
    "zeros": b"\x00" * 1000,
}

_PIECES = (
    b"[",
    b"]",
    b"{",
    b"}",
    b'"',
    b",",
    b":",
    b"\\",
    b"\\ud800",
    b"\x00",
    b"\xff",
    b"NaN",
    b"1e999",
    b"-",
    CANARY,
)


def mutated(draw: random.Random) -> bytes:
    """One of the small bodies, with a few places overwritten, cut, doubled or filled."""
    body = bytearray(draw.choice(_SMALL))
    for _ in range(draw.randint(1, 4)):
        place = draw.randint(0, len(body))
        end = min(len(body), place + draw.randint(0, 12))
        body[place:end] = draw.choice((draw.choice(_PIECES), draw.randbytes(3), bytes(body[place:end]) * 2, b""))
    return bytes(body)


_GOOD = (
    b'{"inputs": ["canary-7f3a", "b"], "normalize": true}',
    b'{"query": "canary-7f3a", "limit": 5, "filter": {"must": [{"key": "a", "match": {"value": 1}}]}}',
    b'{"points": [{"id": "a", "text": "canary-7f3a", "metadata": {"a": 1}}]}',
    b'{"input": ["canary-7f3a"], "model": "stub", "encoding_format": "base64"}',
    b'{"texts": ["canary-7f3a"], "model": "stub", "input_type": "search_query", "embedding_types": ["float"]}',
    b'{"queries": ["a"], "keys": ["canary-7f3a"]}',
)
_SMALL = (*(body for body in BODIES.values() if len(body) < 2000), *_GOOD, *_GOOD, *_GOOD)
