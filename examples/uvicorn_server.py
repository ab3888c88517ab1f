"""Serve over TLCP and TLS on one port.

python examples/uvicorn_server.py 8443 server-pair.pem
"""

import sys

import uvicorn

import meterseal

port, pair = sys.argv[1:]
context = meterseal.create_default_context(meterseal.Purpose.CLIENT_AUTH)
context.load_cert_chain(pair)  # signing and encryption certificates with their keys, in any order


async def reading(scope, receive, send) -> None:  # noqa: ANN001
    """Answer every request with a reading."""
    if scope["type"] != "http":
        return
    await receive()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"00001234.56 kWh"})


uvicorn.run(reading, port=int(port), lifespan="off", log_level="warning",
            ssl_context_factory=lambda config, default: context)  # fmt: skip  # noqa: ARG005
