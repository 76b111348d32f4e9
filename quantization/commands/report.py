"""What a model is worth, on one page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from quantization.commands.options import LAYOUT, RecipeName, Work, open_shop


def report(
    recipe: RecipeName = "starter",
    work: Work = None,
    out: Annotated[Path | None, typer.Option("--out", help="The page; default WORK/report.html.")] = None,
    bins: Annotated[str, typer.Option("--bins", help="Bin layout: an example machine or a bins.yaml.")] = LAYOUT,
    look_alikes: Annotated[
        Path | None, typer.Option("--look-alikes", help="CSV of parts that count as one; default the shipped one.")
    ] = None,
    speed: Annotated[bool, typer.Option(help="Measure the speed on this computer.")] = True,
) -> None:
    """Writes an HTML page about the evaluated model: accuracy, calibration, worst parts, speed."""
    from quantization.factory.report_step import write_report

    shop = open_shop(recipe, work)
    write_report(shop, out or shop.folder / "report.html", bins, look_alikes, speed)
