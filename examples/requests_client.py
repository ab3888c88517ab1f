"""GET with requests.

python examples/requests_client.py https://localhost:8443/ ca.pem
"""

import sys

import requests
from requests.adapters import HTTPAdapter

import meterseal


class SecureAdapter(HTTPAdapter):
    """The way in which requests takes a context."""

    def init_poolmanager(self, *args: object, **kwargs: object) -> None:
        """Hand our context to the pool."""
        super().init_poolmanager(*args, ssl_context=context, **kwargs)


url, ca = sys.argv[1:]
context = meterseal.create_default_context(protocol="tlcp", cafile=ca)
with requests.Session() as session:
    session.mount("https://", SecureAdapter())
    print(session.get(url, timeout=10).text)
