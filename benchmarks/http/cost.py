"""What a request costs by the form of its answer: of a single text, and of each further one."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from rich.console import Console
from rich.progress import track

from benchmarks.compare import Spread, turns
from benchmarks.http.load import Cost, Form, Load, ask
from benchmarks.http.serving import Server, running, serve_bare, serve_ours
from models.bench.tables import Table

DIMENSION = 384
ALONE, TOGETHER, MANY = Load(1, 1), Load(16, 1), Load(1, 65)
LOADS = (ALONE, TOGETHER, MANY)
BARE = "a bare FastAPI route, JSON"
FORMS: Mapping[str, Form] = {
    "JSON": Form(),
    "JSON with details": Form(more={"details": True}),
    "base64": Form(more={"encoding_format": "base64"}),
    "octet-stream": Form(accept="application/octet-stream"),
    "npy": Form(accept="application/x-npy"),
    "Arrow": Form(accept="application/vnd.apache.arrow.stream"),
    "int8, JSON": Form(more={"quantization": "int8"}),
    "int8, octet-stream": Form(more={"quantization": "int8"}, accept="application/octet-stream"),
    "ubinary, octet-stream": Form(more={"quantization": "ubinary"}, accept="application/octet-stream"),
    "OpenAI, base64": Form("/v1/embeddings", "input", {"model": "x", "encoding_format": "base64"}),
    "OpenAI, float": Form("/v1/embeddings", "input", {"model": "x", "encoding_format": "float"}),
    BARE: Form(),
}
NOTES = {
    "alone": f"{ALONE.name}: each request wakes the server",
    "together": f"{TOGETHER.name}: it always has the next one at hand",
    "a further text": f"of {MANY.name}, beside alone",
}


@dataclass(slots=True)
class Seen:
    """One form, round by round."""

    alone_ms: list[float] = field(default_factory=list)
    together_ms: list[float] = field(default_factory=list)
    further_us: list[float] = field(default_factory=list)
    requests_per_s: list[float] = field(default_factory=list)

    def add(self, found: Mapping[Load, Cost]) -> None:
        """A round's figures."""
        alone, together, many = (found[load] for load in LOADS)
        self.alone_ms.append(alone.cpu_ms)
        self.together_ms.append(together.cpu_ms)
        self.further_us.append(1000 * (many.cpu_ms - alone.cpu_ms) / (MANY.texts - ALONE.texts))
        self.requests_per_s.append(together.requests_per_s)


def measure(seconds: float, rounds: int) -> dict[str, Seen]:
    """Ask for every form under every load, in turns.

    Raises:
        RuntimeError: a server did not start, or refused a request.
    """
    seen = {name: Seen() for name in FORMS}
    with running(serve_ours, DIMENSION) as ours, running(serve_bare, DIMENSION) as bare:
        bare.pause()
        for order in track(list(turns(list(FORMS), rounds)), "rounds", console=Console(stderr=True)):
            for name in order:
                seen[name].add(_turn(bare if name == BARE else ours, FORMS[name], seconds))
    return seen


def _turn(server: Server, form: Form, seconds: float) -> dict[Load, Cost]:
    server.resume()
    found = {load: ask(server, form, load, seconds) for load in LOADS}
    server.pause()
    return found


def tables(seen: Mapping[str, Seen]) -> list[Table]:
    """One, with a row for each form."""
    rows = tuple(
        (
            name,
            Spread.of(its.alone_ms).told(3),
            Spread.of(its.together_ms).told(3),
            Spread.of(its.further_us).told(1),
            f"{Spread.of(its.requests_per_s).median:,.0f}",
        )
        for name, its in seen.items()
    )
    header = ("answer", "CPU ms, alone", "CPU ms, together", "CPU µs, a further text", "requests/s, together")
    return [Table(f"What a request costs beside the encoding, {DIMENSION} dimensions", header, rows)]
