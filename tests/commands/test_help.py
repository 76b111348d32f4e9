"""`brickgate --help` names every command that can be typed, those that systemd types too."""

from edge.cli import app
from edge.start import LEAN


def test_every_command_is_listed(brickgate):
    told = brickgate("--help").out
    listed = {line.split()[1] for line in told.partition("Commands")[2].splitlines() if line.startswith("│ ")}
    commands = {command.name or command.callback.__name__ for command in app.registered_commands}
    assert commands >= {*LEAN, "run", "doctor", "bins"}
    assert listed >= commands
