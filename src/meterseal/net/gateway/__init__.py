"""A sealed front for any TCP service, and for MQTT brokers above all; and its other end.

The gateway ends TLCP and TLS with SM suites, knows who the client is by its certificate, and passes
the plain stream on. Before a broker it puts the certificate's name into the client's CONNECT and
lets it reach only the topics that name may reach.
"""

from meterseal.net.gateway.access import Access, AccessRule
from meterseal.net.gateway.front import Front, GatewayLimits
from meterseal.net.gateway.links import Link, Links
from meterseal.net.gateway.tail import Tail

__all__ = ["Access", "AccessRule", "Front", "GatewayLimits", "Link", "Links", "Tail"]
