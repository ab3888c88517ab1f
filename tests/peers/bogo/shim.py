"""One case of BoringSSL's test runner: connect to it, and be the end that it tests.

The shim drives a `Connection` as any owner would; the engine under it is the package's, unchanged.
One rule is lifted: the runner's end entities have an empty subject beside an alternative name that
is not critical, which RFC 5280, 4.1.2.6 forbids and we refuse.
"""

from __future__ import annotations

import socket
import sys
import traceback
from typing import TYPE_CHECKING, TextIO

import meterseal.x509.verify as verification
from meterseal.errors import CertificateRejected, MeterSealError, PeerError
from meterseal.transport import (
    ClientAuthentication,
    ClientConfig,
    Connection,
    ServerConfig,
    SessionCache,
    TicketKeys,
)
from peers.bogo import choices
from peers.bogo.exchange import Exchange, Failed, Watcher, protocols
from peers.bogo.options import Options, Unimplemented, parse
from support.nist.families import RunnerProvider

if TYPE_CHECKING:
    from meterseal.transport import Session
    from meterseal.transport.algorithms import Algorithms

UNIMPLEMENTED = 89
_PATIENCE = 30


def run(arguments: list[str], errors: TextIO) -> int:
    """Serve one case and return the exit code; `errors` takes what the runner reads."""
    try:
        Shim(arguments).run()
    except Unimplemented as reason:
        print(f"unimplemented: {reason}", file=errors)
        return UNIMPLEMENTED
    except PeerError as error:
        name = type(error).__name__
        print(f":{name}: alert {error.description.name.lower()}: {error}", file=errors)
        return 1
    except MeterSealError as error:
        print(f":{type(error).__name__}: {error}", file=errors)
        return 1
    except Failed as error:
        print(error, file=errors)
        return 1
    except Exception:  # noqa: BLE001  (the runner shows what we print)
        traceback.print_exc(file=errors)
        return 1
    return 0


class Shim:
    """The connections of one case, and what lives across them."""

    def __init__(self, arguments: list[str]) -> None:
        first = parse(arguments, 0)
        self.plans = [parse(arguments, number) for number in range(first.resume_count + 1)]
        self.provider = RunnerProvider()
        self.cache = SessionCache()
        self.tickets: TicketKeys | None = None
        self.session: Session | None = None

    def run(self) -> None:
        """Make one connection after the other."""
        for options in self.plans:
            if options.is_resumption and not options.server and self.session is None:
                raise Failed("No session to offer.")
            self._connect(options)
            self.provider.delay += options.resumption_delay

    def _connect(self, options: Options) -> None:
        algorithms = choices.family(options)
        watcher = Watcher()
        connection = self._connection(options, algorithms, watcher)
        address = "::1" if options.ipv6 else "127.0.0.1"
        with socket.create_connection((address, options.port), timeout=_PATIENCE) as peer:
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            peer.sendall(options.shim_id.to_bytes(8, "little"))
            exchange = Exchange(peer, connection, options, watcher)
            try:
                self.session = exchange.run()
            finally:
                exchange.leave()

    def _connection(self, options: Options, algorithms: Algorithms, watcher: Watcher) -> Connection:
        common = {
            "provider": self.provider,
            "algorithms": algorithms,
            "suites": choices.suites(options, algorithms),
            "groups": choices.groups(options),
            "credential": choices.credential(options, algorithms),
            "trust": choices.trust(options),
            "observer": watcher,
        }
        if options.server:
            return Connection.server(self._server_config(options, algorithms, common))
        config = ClientConfig(
            **common,  # type: ignore[arg-type]
            check_name=False,
            key_shares=choices.key_shares(options),
            offer_tickets=not options.no_ticket,
            request_ocsp=options.enable_ocsp_stapling,
            require_secure_renegotiation=options.no_legacy_server_connect,
            application_protocols=tuple(protocols(options.advertise_alpn)),
        )
        return Connection.client(config, options.host_name or None, self.session)

    def _server_config(
        self, options: Options, algorithms: Algorithms, common: dict[str, object]
    ) -> ServerConfig:
        if common["credential"] is None:
            raise Unimplemented("a server without a certificate is absent")
        asked = ClientAuthentication.NONE
        if options.require_any_client_certificate:
            asked = ClientAuthentication.REQUIRED
        elif options.verify_peer:
            asked = ClientAuthentication.OPTIONAL
        if self.tickets is None:
            self.tickets = TicketKeys(self.provider, suites=algorithms.suites)
        chosen = (options.select_alpn,) if options.select_alpn else ()
        if options.reject_alpn:
            chosen = ("a protocol that nobody offers",)
        return ServerConfig(
            **common,  # type: ignore[arg-type]
            client_authentication=asked,
            session_cache=self.cache,
            ticket_keys=None if options.no_ticket else self.tickets,
            application_protocols=chosen,
        )


# --- the one rule that is lifted ---------------------------------------------------------

_require_form = verification.require_form


def _allow_empty_subject(certificate: object) -> None:
    try:
        _require_form(certificate)  # type: ignore[arg-type]
    except CertificateRejected as error:
        if not error.detail.startswith("its subject is empty"):
            raise


verification.require_form = _allow_empty_subject  # type: ignore[assignment]

if __name__ == "__main__":
    sys.exit(run(sys.argv[1:], sys.stderr))
