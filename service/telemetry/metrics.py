"""Every number the service exports. Names and labels are defined here and nowhere else."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from service.telemetry.tallies import Durations, Tallies, Tally

STAGES = ("tokenize", "queue", "encode", "search", "store", "total")
REFUSALS = ("overloaded", "rate_limited", "deadline", "disconnected", "body_too_large", "unauthorized", "forbidden")

# A cached tokenization takes tens of microseconds, a large batch some seconds.
_SECONDS = (0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_ITEMS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
_TOKENS = (8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384)


class Metrics:
    """The metrics of one service, on a registry of their own.

    Thread-safe: prometheus_client locks each value, but for those in `tallies`, which belong to the event loop.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        r = self.registry
        self.requests = Tallies(
            "mcse_requests", "Requests by route template.", ("route", "method", "status"), registry=r
        )
        self.stages = Durations("mcse_stage_seconds", "Time a request spent in a stage.", STAGES, _SECONDS, registry=r)
        self.batch_items = Histogram("mcse_batch_items", "Texts in a batch.", buckets=_ITEMS, registry=r)
        self.batch_tokens = Histogram("mcse_batch_tokens", "Tokens in a batch.", buckets=_TOKENS, registry=r)
        self.tokens = Tally("mcse_tokens", "Tokens encoded for callers.", registry=r)
        self.truncated = Tally("mcse_truncated_texts", "Texts that were cut.", registry=r)
        self.shared = Counter("mcse_shared_texts", "Texts answered by the encoding of an equal one.", registry=r)
        self.cache_hits = Counter("mcse_vector_cache_hits", "Texts whose vector was known.", registry=r)
        self.cache_misses = Counter("mcse_vector_cache_misses", "Texts looked up in vain.", registry=r)
        self.cache_evictions = Counter("mcse_vector_cache_evictions", "Vectors let go for newer ones.", registry=r)
        self.cache_bytes = Gauge("mcse_vector_cache_bytes", "Memory of the vectors kept.", registry=r)
        self.batch_budget = Gauge("mcse_batch_budget_tokens", "Most tokens encoded together.", registry=r)
        self.refused = Counter("mcse_refused", "Requests not answered, by reason.", ("reason",), registry=r)
        self.pending = Gauge("mcse_pending_items", "Texts admitted and not yet answered.", registry=r)
        self.ready = Gauge("mcse_ready", "1 when every readiness check passes.", registry=r)
        self.points = Gauge("mcse_collection_points", "Points stored.", ("collection",), registry=r)
        self.model = Gauge(
            "mcse_model_info",
            "Always 1; the labels say which model is served.",
            ("name", "fingerprint", "pooling", "runtime"),
            registry=r,
        )
        self._show_zeros()

    def _show_zeros(self) -> None:
        """A series that does not exist cannot be alerted on; show each one before its first event."""
        for reason in REFUSALS:
            self.refused.labels(reason)

    def announce_routes(self, routes: list[tuple[str, str, int]]) -> None:
        """Show a zero for each (route, method, status of success)."""
        for route, method, status in routes:
            self.requests.inc((route, method, str(status)), 0)

    def set_points(self, counts: dict[str, int]) -> None:
        """Replace the collection sizes, so that a dropped collection disappears."""
        self.points.clear()
        for collection, count in counts.items():
            self.points.labels(collection).set(count)

    def render(self) -> bytes:
        """The text that Prometheus scrapes."""
        return generate_latest(self.registry)
