"""What the station counts, for Prometheus."""

from __future__ import annotations

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram

__all__ = ["Metrics"]

_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60, 600, 3600)


class Metrics:
    """Counters of one station, and the registry in which they are."""

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        self.registry = registry
        self.messages = Counter(
            "meterseal_station_messages", "Messages taken from the broker", registry=registry
        )
        self.statements = Counter(
            "meterseal_station_statements",
            "Statements by verdict; KNOWN are those stored before",
            ["verdict"],
            registry=registry,
        )
        self.batch = Histogram(
            "meterseal_station_batch_seconds",
            "Time to verify and store a batch",
            buckets=_SECONDS,
            registry=registry,
        )
        self.delay = Histogram(
            "meterseal_station_delay_seconds",
            "From sampling to stored, the oldest of each batch",
            buckets=_SECONDS,
            registry=registry,
        )
        self.unavailable = Counter(
            "meterseal_station_store_unavailable",
            "Batches that the store could not take at once",
            registry=registry,
        )
        self.certificates = Gauge(
            "meterseal_station_certificates", "Certificates known", registry=registry
        )
        self.receipts = Counter(
            "meterseal_station_receipts", "Receipts signed and sent", registry=registry
        )
