"""What systemd wants to be told: ready, alive, stopping. Nothing happens where no service manager listens.

The protocol is one datagram of KEY=VALUE lines to the socket in $NOTIFY_SOCKET (sd_notify(3)); a leading @ names a
socket of the abstract namespace.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Mapping
from pathlib import Path

STATE_FILE = Path("/run/brickgate/state.json")
"""What the service says of itself, in the folder that systemd makes for it (RuntimeDirectory)."""
READY, ALIVE, STOPPING = "READY=1", "WATCHDOG=1", "STOPPING=1"
STILL_STARTING = "EXTEND_TIMEOUT_USEC=120000000"
"""The start goes on: it is given two more minutes from now. Told after each step that takes long on a slow machine."""


class ServiceManager:
    """Tells the service manager of this process; `tell` never waits and never fails."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        address = environment.get("NOTIFY_SOCKET", "")
        self._socket: socket.socket | None = None
        if address[:1] in ("/", "@"):
            with contextlib.suppress(OSError, AttributeError):
                self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
                self._socket.setblocking(False)
                self._address = "\0" + address[1:] if address.startswith("@") else address

    def tell(self, *lines: str) -> None:
        """Sends `READY`, `ALIVE`, `STOPPING`, `STILL_STARTING` or "STATUS=…" in one message."""
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.sendto("\n".join(lines).encode(), self._address)

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None
