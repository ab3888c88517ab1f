"""Two ends of TLCP."""

from __future__ import annotations

from meterseal.transport import (
    TLCP_SUITES,
    TLS12_SUITES,
    CipherSuite,
    ClientAuthentication,
    ClientConfig,
    ServerConfig,
)
from support.identities import world
from support.wire import client_config, server_config


def suite_of(code: int) -> CipherSuite:
    return next(suite for suite in TLCP_SUITES if suite.code == code)


ECC, ECC_CBC, ECDHE, ECDHE_CBC = (suite_of(code) for code in (0xE053, 0xE013, 0xE051, 0xE011))


def tlcp_client(suite: CipherSuite = ECC, **changes: object) -> ClientConfig:
    return client_config(**{"suites": (suite,), "credential": world().client_pair, **changes})


def tlcp_server(**changes: object) -> ServerConfig:
    return server_config(
        **{
            "credential": world().server_pair,
            "suites": (*TLCP_SUITES, *TLS12_SUITES),
            "trust": world().trust,
            "client_authentication": ClientAuthentication.REQUIRED,
            **changes,
        }
    )
