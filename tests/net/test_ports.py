"""Ports that are handed to programs."""

from __future__ import annotations

import socket

from meterseal.net.ports import free_port, is_free


def test_a_port_is_given_once_and_never_one_that_a_caller_could_get() -> None:
    ports = [free_port() for _ in range(50)]
    assert len(set(ports)) == len(ports)
    assert max(ports) < 32_768
    with socket.create_server(("127.0.0.1", ports[0])):
        assert not is_free(ports[0])
    assert is_free(ports[1])
