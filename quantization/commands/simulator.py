"""What the simulated machine is made of."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def sprites(
    out: Annotated[Path, typer.Option("--out", help="Folder of the sprites.")] = Path("edge/sim/assets"),
    meshes: Annotated[Path, typer.Option("--meshes", help="Folder of built meshes.")] = Path("data/meshes"),
    seed: Annotated[int, typer.Option("--seed", help="Of lights and views.")] = 20261124,
) -> None:
    """Renders the simulated machine's sprites; about ten minutes on one core."""
    from quantization.sprites import main as make

    make(out, seed, meshes)
