"""Who may look: machines of the local network, asking for this machine by a name of its own."""

from __future__ import annotations

import ipaddress
from collections.abc import Container
from pathlib import Path

_LOCAL = tuple(
    ipaddress.ip_network(network)
    for network in (
        "127.0.0.0/8",
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "169.254.0.0/16",  # a cable between two machines, without a router
        "::1/128",
        "fc00::/7",
        "fe80::/10",
    )
)
_LOCAL_DOMAINS = frozenset(
    ("local", "home.arpa", "internal", "lan", "home", "localdomain", "fritz.box")  # RFC 6762, RFC 8375, ICANN; routers'
)


def is_local(address: str) -> bool:
    """Whether a peer's address is of a private network (RFC 1918, 4193), of this link (RFC 3927, 4291), or our own."""
    try:
        peer = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(peer, ipaddress.IPv6Address) and peer.ipv4_mapped is not None:
        peer = peer.ipv4_mapped
    return any(peer in network for network in _LOCAL if network.version == peer.version)


def is_own_name(host: str, hostname: str, domains: Container[str] = frozenset()) -> bool:
    """Whether a request's Host header names this machine: by an address, as `localhost`, or by its own name, alone or
    within a domain of the local network. Any other name is a page elsewhere that had its name pointed here (DNS
    rebinding), be its first word this machine's.

    Args:
        host: the header.
        hostname: the machine's own name.
        domains: the network's, besides those that nobody can register: `search_domains()`.
    """
    name = host.strip().lower()
    if name.startswith("["):
        return _is_address(name[1:].partition("]")[0])
    name = name.partition(":")[0].rstrip(".")
    if _is_address(name) or name in ("localhost", hostname.lower()):
        return True
    machine, _, domain = name.partition(".")
    within = not domain or domain in _LOCAL_DOMAINS or domain in domains
    return within and machine == hostname.partition(".")[0].lower()


def search_domains(file: Path = Path("/etc/resolv.conf")) -> frozenset[str]:
    """The domains that the router gave this network (`search` and `domain` of resolv.conf(5)); none where unknown."""
    try:
        lines = [line.split() for line in file.read_text("utf-8", "replace").splitlines()]
    except OSError:
        return frozenset()
    found = (words[1:] for words in lines if words[:1] in (["search"], ["domain"]))
    return frozenset(domain.rstrip(".").lower() for domains in found for domain in domains) - {""}


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
