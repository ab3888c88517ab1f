"""GET with httpx over TLCP.

python examples/httpx_client.py https://localhost:8443/ ca.pem
"""

import sys

import httpx

import meterseal

url, ca = sys.argv[1:]
context = meterseal.create_default_context(protocol="tlcp", cafile=ca)
with httpx.Client(verify=context) as client:
    print(client.get(url).text)
