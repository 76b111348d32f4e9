"""The entry of the program `brickgate`. What systemd starts is begun without the command line's own libraries.

`service` and `status-page` are started at every power-on, on the slowest machine: each second counts there, and typer
and rich, which neither needs, take one on a Pi.
"""

from __future__ import annotations

import importlib
import sys

from edge.entry import run_commands

LEAN = {"service": "edge.service_command", "status-page": "edge.web.command"}
"""Commands that parse their own options: each module's `main` takes the words and returns the exit code."""


def main() -> None:
    """Entry point."""
    words = sys.argv[1:]
    module = LEAN.get(words[0]) if words else None
    if module is None:
        from edge.cli import main as whole

        whole()
    else:
        run_commands(lambda: sys.exit(importlib.import_module(module).main(words[1:])))


if __name__ == "__main__":
    main()
