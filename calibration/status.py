"""`brickgate-calibrate status`: what has been measured, and how well."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.table import Table

from calibration.own_model import network_of
from edge.config.calibration import ALONE, STEPS, Calibration, Measured
from edge.config.check_calibration import check_calibration, missing_steps
from edge.config.document import Document
from edge.config.schema import MachineConfig


def print_status(machine: MachineConfig, calibration: Calibration, file: Path, console: Console) -> None:
    """A line for each residual of each step, then what should be done again."""
    table = Table(title=str(file), title_justify="left")
    for heading in ("step", "made", "from", "how well", "value", "at most"):
        table.add_column(heading, justify="right" if heading in ("value", "at most") else "left")
    for step in (*STEPS, *ALONE):
        section: Measured | None = getattr(calibration, step)
        if section is None:
            table.add_row(step, "[dim]not calibrated[/]", "", "", "", "")
            continue
        words = step, f"{section.made_at:%Y-%m-%d %H:%M}", section.measured_from
        if not section.residuals:
            table.add_row(*words, "[dim]not told[/]", "", "")
        for what, residual in section.residuals.items():
            value = f"{residual.value:.3g} {residual.unit}"
            table.add_row(*words, what, value if residual.passes else f"[red]{value}[/]", f"{residual.limit:g}")
            words = "", "", ""
    console.print(table)
    if not file.exists():
        console.print(f"{file}: no such file, so nothing has been calibrated", markup=False, highlight=False)
    nowhere = Document(file)
    network = network_of(machine)
    for finding in [
        *check_calibration(machine, calibration, nowhere, network),
        *missing_steps(machine, calibration, nowhere),
    ]:
        console.print(f"{finding.key + ': ' if finding.key else ''}{finding.message}", markup=False)
