"""`brickgate-calibrate`: fits Brickgate to the machine in front of it. Parsing only."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from calibration.rig import Rig
from edge.config.calibration import NAME
from edge.entry import run_commands
from edge.errors import InputError

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)

Config = Annotated[Path, typer.Option("--config", help="machine.yaml; calibration.yaml is written beside it.")]
Bins = Annotated[Path | None, typer.Option("--bins", help="bins.yaml; default: the one beside the machine.yaml.")]
Pictures = Annotated[Path | None, typer.Option("--pictures", help="Folder for a picture of each fit.")]
Simulate = Annotated[
    int | None, typer.Option("--simulate", min=0, help="Calibrate simulated machine number N instead of a real one.")
]
To = Annotated[Path | None, typer.Option("--to", help="Another place for calibration.yaml.")]


def _files(config: Path, bins: Path | None, to: Path | None) -> tuple[Path, Path, Path]:
    """machine.yaml, bins.yaml, and calibration.yaml."""
    return config, bins or config.parent / "bins.yaml", to or config.parent / NAME


@contextmanager
def _rig(
    config: Path, bins: Path | None, to: Path | None, simulate: int | None, pictures: Path | None
) -> Iterator[tuple[Rig, Path]]:
    from calibration.console import ConsoleOperator
    from calibration.live import live_rig
    from calibration.simulated import simulated_rig
    from edge.config.calibrated import load_calibration
    from edge.config.load import load_bins, load_machine

    machine_yaml, bins_yaml, file = _files(config, bins, to)
    machine, layout, calibration = load_machine(machine_yaml), load_bins(bins_yaml), load_calibration(file)
    if simulate is not None and to is None and machine.camera.driver != "sim":
        raise InputError(
            f"{config} is of a real machine, and what a simulated one measures is not true of it: give --to FILE"
        )
    _check_targets(file, pictures)
    if simulate is not None:
        rig = simulated_rig(machine, layout, simulate, calibration=calibration, say=typer.echo)
        rig.pictures = pictures
        yield rig, file
        return
    with live_rig(machine, layout, calibration, ConsoleOperator(Console())) as rig:
        rig.pictures = pictures
        yield rig, file


def _check_targets(file: Path, pictures: Path | None) -> None:
    """Before anything is measured: what cannot be written afterwards.

    Raises:
        InputError: one cannot.
    """
    from calibration.pictures import make_folder

    if not (file.parent.is_dir() and os.access(file.parent, os.W_OK)):
        raise InputError(f"{file} cannot be written: make its folder, or give another place with --to (or use sudo)")
    if pictures is not None and not (make_folder(pictures) and os.access(pictures, os.W_OK)):
        raise InputError(f"{pictures} is no folder that can be written into: give another to --pictures")


def _one(name: str) -> Callable[..., None]:
    """The command of one step."""

    def command(
        config: Config, bins: Bins = None, to: To = None, pictures: Pictures = None, simulate: Simulate = None
    ) -> None:
        from calibration.step import run_step
        from calibration.steps import step

        with _rig(config, bins, to, simulate, pictures) as (rig, file):
            run_step(step(name), rig, file)
        typer.echo(f"{name}: done, written to {file}")

    return command


for _name, _help in {
    "camera": "Locks exposure, gain, white balance and focus so that the belt is bright and nothing clips.",
    "plane": "Measures scale, turn, tilt and lens from a printed sheet, or from bricks of known size.",
    "belt": "Measures the belt's speed, ripple and direction, and the encoder, on parts that ride by.",
    "colour": "Measures the belt's own colour, the light's evenness, and true colours, from bricks that you name.",
    "positions": "Nudges each servo's rest and working positions, a degree at a time, until you say they are right.",
    "gates": "Measures each gate's place, latency and travel: parts ride by, and you count what lies in the bins.",
    "confidence": "Measures how far the scores may be believed, on parts that you name; you say how pure you want it.",
}.items():
    app.command(_name, help=_help)(_one(_name))


@app.command("all")
def all_steps(
    config: Config, bins: Bins = None, to: To = None, pictures: Pictures = None, simulate: Simulate = None
) -> None:
    """The whole walk, from a machine that was just built to one that sorts; servos and gates come after it."""
    from calibration.walk import steps_after, steps_of, walk

    with _rig(config, bins, to, simulate, pictures) as (rig, file):
        walked = walk(rig, file, typer.echo, steps_of(rig.machine))
        for name in steps_after(rig.machine):
            typer.echo(f"next, by itself: brickgate-calibrate {name} --config {config}")
    if not walked.whole:
        typer.echo(f"not measured this time: {', '.join(walked.left_out)}", err=True)
        raise typer.Exit(1)


@app.command()
def sheet(
    file: Annotated[Path, typer.Argument(metavar="FILE.pdf", help="Where to write it.")] = Path("brickgate-sheet.pdf"),
) -> None:
    """Writes the sheet for `plane` as a PDF; print it at 100 %."""
    from calibration.sheet import write_sheet

    write_sheet(file)
    typer.echo(f"{file}: print it at 100 % (not fitted to the page) and check its ruler")


@app.command()
def status(config: Config, to: To = None) -> None:
    """Says what has been calibrated, when, how well, and what should be done again."""
    from calibration.status import print_status
    from edge.config.calibrated import load_calibration
    from edge.config.load import load_machine

    machine_yaml, _, file = _files(config, None, to)
    if to is not None and not to.exists():
        raise InputError(f"{to}: no such file: leave --to out for the one beside {config}")
    print_status(load_machine(machine_yaml), load_calibration(file), file, Console())


def main() -> None:
    """Entry point."""
    run_commands(app, "stopped; the machine is at rest, and what was calibrated before holds")


if __name__ == "__main__":
    main()
