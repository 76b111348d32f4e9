"""Whom the status page answers."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.web.access import is_local, is_own_name, search_domains


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


def test_a_routers_own_domain_is_of_the_local_network(tmp_path: Path) -> None:
    file = tmp_path / "resolv.conf"
    file.write_text("# made by a router\ndomain Box.Example.\nnameserver 192.168.1.1\nsearch club.example .\nsearch\n")
    domains = search_domains(file)
    assert domains == {"box.example", "club.example"}
    assert is_own_name("brickgate.club.example:8080", "brickgate", domains)
    assert is_own_name("Brickgate.Box.Example.", "brickgate", domains)
    assert not is_own_name("brickgate.club.example", "brickgate")
    assert not is_own_name("other.club.example", "brickgate", domains)
    assert search_domains(tmp_path / "none") == frozenset()


def test_a_machine_that_is_named_in_full_answers_to_that_name() -> None:
    assert is_own_name("sorter.club.example", "sorter.club.example")
    assert is_own_name("sorter.local", "sorter.club.example")
    assert not is_own_name("sorter.evil.example", "sorter.club.example")
