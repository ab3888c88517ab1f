"""The examples run as they stand; those of the README do in tests/architecture/test_readme.py."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from support.contexts import files

EXAMPLES = Path(__file__).parents[3] / "examples"


def test_asyncio() -> None:
    done = subprocess.run(
        [sys.executable, EXAMPLES / "asyncio_echo.py", files().server_pair_pem, files().ca_pem],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
        env={key: value for key, value in os.environ.items() if key != "SSLKEYLOGFILE"},
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0] == "received 00001234.56 kWh"
    assert "TLS_SM4_GCM_SM3" in done.stdout
