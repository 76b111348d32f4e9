"""`brickgate-model`: the model factory's command line."""

from __future__ import annotations

import typer

from edge.entry import run_commands
from quantization.commands import catalogue, export, report, simulator, steps, tile, training

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
for command in (
    steps.build,
    steps.render,
    training.train,
    training.distill,
    training.average,
    steps.quantize,
    steps.evaluate,
    export.export,
    steps.bundle,
    report.report,
    catalogue.catalogue,
    simulator.sprites,
    tile.tile,
    tile.capture,
):
    app.command()(command)


def main() -> None:
    """Entry point."""
    run_commands(
        app,
        "stopped; what was finished is kept, run the same command to go on",
        "{name} is not installed: run './install.sh --model'",
    )


if __name__ == "__main__":
    main()
