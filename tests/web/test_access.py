"""Whom the status page answers."""

from __future__ import annotations

import pytest

from edge.web.access import is_local


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.178.20", "169.254.8.9", "::1",
        "fe80::1%eth0", "fd12:3456::1", "::ffff:192.168.1.1",
    ],
)  # fmt: skip
def test_the_local_network_is_let_in(address: str) -> None:
    assert is_local(address)


@pytest.mark.parametrize(
    "address",
    [
        "8.8.8.8",
        "172.32.0.1",
        "172.15.9.9",
        "192.169.0.1",
        "100.64.0.1",
        "2001:db8::1",
        "::ffff:8.8.8.8",
        "",
        "brickgate",
    ],
)
def test_everybody_else_is_not(address: str) -> None:
    assert not is_local(address)
