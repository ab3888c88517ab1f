"""What a gateway tells its operator over HTTP: `/metrics` for Prometheus, `/links`, `/healthz`.

Plain HTTP, meant for loopback or an operator's own network: it shows names and addresses.
"""

from __future__ import annotations

import json
import threading
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import CollectorRegistry, make_wsgi_app
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from meterseal.net.gateway.links import Links

__all__ = ["Admin"]

_JSON: Final = (("Content-Type", "application/json"), ("Cache-Control", "no-store"))


class Admin:
    """Serves in a thread of its own; `address` is known after `start`."""

    def __init__(self, links: Links, name: str) -> None:
        self._links = links
        registry = CollectorRegistry()
        registry.register(_LinkMetrics(links, name))
        self._metrics: Callable[..., Iterable[bytes]] = make_wsgi_app(registry)
        self._server: WSGIServer | None = None

    def start(self, host: str, port: int) -> tuple[str, int]:
        """Listen; returns the address in use (port 0 takes a free one)."""
        self._server = make_server(host, port, self._answer, handler_class=_Quiet)
        threading.Thread(target=self._server.serve_forever, name="admin", daemon=True).start()
        return host, self._server.server_port

    def close(self) -> None:
        """Stop serving."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()

    def _answer(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:  # noqa: ANN401  (WSGI)
        match environ["PATH_INFO"]:
            case "/metrics":
                return self._metrics(environ, start_response)
            case "/healthz":
                start_response("200 OK", list(_JSON))
                return [b'{"ok":true}']
            case "/links":
                start_response("200 OK", list(_JSON))
                return [json.dumps(self._describe()).encode()]
        start_response("404 Not Found", list(_JSON))
        return [b'{"error":"not found"}']

    def _describe(self) -> dict[str, object]:
        return {
            "links": [link.describe() for link in self._links],
            "opened": self._links.opened,
            "refused": dict(self._links.refused),
            "latest_refusals": [asdict(refusal) for refusal in self._links.latest],
        }


class _LinkMetrics(Collector):
    """The links in the terms of Prometheus; counted where it is asked, nothing is kept twice."""

    def __init__(self, links: Links, name: str) -> None:
        self._links = links
        self._name = name

    def collect(self) -> Iterable[GaugeMetricFamily | CounterMetricFamily]:
        labels = ["gateway"]
        links = list(self._links)
        up = GaugeMetricFamily("meterseal_gateway_links", "Links that are up.", labels=labels)
        up.add_metric([self._name], len(links))
        yield up
        opened = CounterMetricFamily(
            "meterseal_gateway_links_opened", "Links since the start.", labels=labels
        )
        opened.add_metric([self._name], self._links.opened)
        yield opened
        refused = CounterMetricFamily(
            "meterseal_gateway_refused", "Clients turned away.", labels=[*labels, "reason"]
        )
        for kind, count in self._links.refused.items():
            refused.add_metric([self._name, kind], count)
        yield refused
        suites = GaugeMetricFamily(
            "meterseal_gateway_suites", "Links that are up, by suite.", labels=[*labels, "suite"]
        )
        names = [link.session.suite.name for link in links]
        for suite in sorted(set(names)):
            suites.add_metric([self._name, suite], names.count(suite))
        yield suites


class _Quiet(WSGIRequestHandler):
    """Requests are not logged: Prometheus asks often."""

    def log_message(self, *_: object) -> None:
        """Say nothing."""
