"""Makes the tables of docs/faults.md from `edge.sim.faults.FAULTS`: `python tests/scenarios/fault_docs.py`."""

from __future__ import annotations

from pathlib import Path

from edge.sim.faults import FAULTS, FaultKind

PAGE = Path(__file__).parents[2] / "docs" / "faults.md"
BEGIN, END = "<!-- begin: made by tests/scenarios/fault_docs.py -->", "<!-- end -->"
GROUPS = {
    "camera": "The camera and the light",
    "cpu": "The computer",
    "accelerator": "The accelerator",
    "gate": "Gates",
    "belt": "The belt",
    "encoder": "The encoder",
    "feeder": "The feeder",
    "double": "Parts",
    "jam": "Parts",
    "part": "Parts",
    "card": "The SD card",
    "clock": "The clock",
    "sensor": "Sensors in bins and at the belt's end",
}


def tables() -> str:
    """One table a group, in Markdown."""
    lines, last = [BEGIN], ""
    for kind in FAULTS.values():
        group = GROUPS[kind.name.split("-")[0]]
        if group != last:
            lines += ["", f"### {group}", "", "| fault | what happens | the machine | you read | what to do |"]
            lines.append("|---|---|---|---|---|")
            last = group
        lines.append(_row(kind))
    return "\n".join([*lines, "", END])


def _row(kind: FaultKind) -> str:
    reads = f"… {kind.reads} …" if kind.reads else "nothing"
    verb, _, rest = str(kind.answer).partition(":")
    answer = f"**{verb}**{':' if rest else '.'}{rest}" + ("." if rest else "")
    return f"| `{kind.name}` | {kind.happens} | {answer} {kind.does} | {reads} | {kind.todo or 'Nothing.'} |"


def page(before: str) -> str:
    """The page with its tables made anew."""
    head, _, rest = before.partition(BEGIN)
    return head + tables() + rest.partition(END)[2]


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
