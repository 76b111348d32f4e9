"""`brickgate still`: switches off what a process that was killed may have left on.

A pin keeps its level when the process that set it dies. Opening a driver and closing it leaves the device safe, which
is the contract of `edge.hardware.interfaces`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from edge.clock import Clock
from edge.config.schema import MachineConfig
from edge.errors import BrickgateError
from edge.hardware.factory import make_belt_motor, make_feeder, make_gates


def make_still(config: MachineConfig, clock: Clock, say: Callable[[str], None]) -> bool:
    """Belt and feeder off, gates to rest; each is tried whatever becomes of the others.

    Args:
        say: told in one line of each device that cannot be reached.

    Returns:
        Whether all of them were.
    """
    makers: tuple[Callable[[], Any], ...] = (
        lambda: make_belt_motor(config, clock),
        lambda: make_feeder(config),
        lambda: make_gates(config, clock),
    )
    reached = True
    for make in makers:
        try:
            made = make()
            for device in made.values() if isinstance(made, dict) else (made,):
                device.close()
        except BrickgateError as error:
            reached = False
            say(f"not switched off: {error}: do it by hand")
    return reached
