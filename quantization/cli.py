"""`brickgate-model`: the model factory's command line."""

from __future__ import annotations

from typing import NoReturn

import typer

from edge.errors import BrickgateError
from edge.signals import Interrupted, interrupting
from quantization.commands import catalogue, export, report, simulator, steps, tile, training

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
for command in (
    steps.build,
    steps.render,
    training.train,
    training.distill,
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
    """Entry point: problems are one line, never a traceback."""
    try:
        with interrupting():
            app()
    except BrickgateError as error:
        _fail(f"error: {error}", error.exit_code)
    except Interrupted as interrupted:
        _fail("stopped; what was finished is kept, run the same command to go on", interrupted.exit_code)
    except ModuleNotFoundError as error:
        _fail(f"error: {error.name} is not installed: run './install.sh --model'", 1)
    except OSError as error:
        _fail(f"error: {error}", 1)


def _fail(line: str, exit_code: int) -> NoReturn:
    typer.echo(line, err=True)
    raise SystemExit(exit_code) from None


if __name__ == "__main__":
    main()
