"""Which parts there are."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def catalogue(
    out: Annotated[Path, typer.Option("--out", help="Folder of the tables.")] = Path("data/catalogue"),
    ldraw: Annotated[
        Path | None, typer.Option("--ldraw", help="LDraw library; default $LDRAWDIR or /usr/share/ldraw.")
    ] = None,
) -> None:
    """Lists the part types of the LDraw library, what is left out and why, and which parts look alike."""
    from quantization.catalogue.build import make_catalogue

    types, pairs = make_catalogue(out, ldraw, typer.echo)
    typer.echo(f"{types} part types and {pairs} pairs that look alike written to {out}")
