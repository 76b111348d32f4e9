"""Who may look: machines of the local network, asking for this machine by a name of its own."""

from __future__ import annotations

import ipaddress

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


def is_local(address: str) -> bool:
    """Whether a peer's address is of a private network (RFC 1918, 4193), of this link (RFC 3927, 4291), or our own."""
    try:
        peer = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(peer, ipaddress.IPv6Address) and peer.ipv4_mapped is not None:
        peer = peer.ipv4_mapped
    return any(peer in network for network in _LOCAL if network.version == peer.version)


def is_own_name(host: str, hostname: str) -> bool:
    """Whether a request's Host header names this machine: by an address, as `localhost`, or by its own name, alone or
    within a router's domain. Any other name is a page elsewhere that had its name pointed here (DNS rebinding)."""
    name = host.strip().lower()
    if name.startswith("["):
        return _is_address(name[1:].partition("]")[0])
    name = name.partition(":")[0].rstrip(".")
    return _is_address(name) or name == "localhost" or name.partition(".")[0] == hostname.partition(".")[0].lower()


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
