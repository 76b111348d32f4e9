"""A view as a page: plain HTML that reloads itself, no script, nothing from elsewhere."""

from __future__ import annotations

import json
from dataclasses import asdict
from html import escape

from edge.web.bins import BinLevel
from edge.web.parts import SeenPart
from edge.web.state import MachineState, State
from edge.web.view import View

RELOAD_S = 5
TITLES = {
    State.STARTING: "Starting",
    State.SORTING: "Sorting",
    State.STOPPED: "Stopped",
    State.SAFE_MODE: "Safe mode: the machine stands still",
    State.UNKNOWN: "No word from the sorter",
}
WHAT_TO_DO = {
    State.SAFE_MODE: "Put right what is named here; the machine then starts by itself, or at the next power-on.",
    State.UNKNOWN: "Wait a minute after power-on; then look at `systemctl status brickgate`.",
}
REASONS = {"no rule": "no bin asks for it", "unsure": "not sure", "refused": "a gate could not be had in time"}


def to_html(view: View) -> str:
    """The whole page."""
    machine = view.machine
    title = f"{TITLES[machine.state].partition(':')[0]} · {view.hostname}"
    shown = [_parts(view.parts), _bins(view.bins), _facts(view)]
    # Who has to do something looks for the way in first.
    shown.insert(len(shown) if machine.state in (State.SORTING, State.STARTING) else 0, _notes(view))
    sections = (_banner(view), _errors(machine), *shown)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta http-equiv="refresh" content="{RELOAD_S}"><title>{escape(title)}</title>'
        '<link rel="icon" href="data:,"><link rel="stylesheet" href="/page.css"></head><body>\n'
        f"<header><b>Brickgate</b><span>{escape(view.hostname)}</span></header>\n<main>\n"
        + "\n".join(section for section in sections if section)
        + f"\n</main>\n<footer>This page only shows; it changes nothing. It looks again every {RELOAD_S} s.</footer>"
        "</body></html>\n"
    )


def to_json(view: View) -> str:
    """The same for programs."""
    return json.dumps(asdict(view), ensure_ascii=False) + "\n"


def _banner(view: View) -> str:
    machine = view.machine
    since = "" if machine.since_s is None else _ago(view.now_s - machine.since_s)
    reason = f"<p>{escape(machine.reason)}</p>" if machine.reason else ""
    hint = WHAT_TO_DO.get(machine.state, "")
    hint = f'<p class="hint">{_code(hint)}</p>' if hint else ""
    when = f'<span class="since">{since}</span>' if since else ""
    heading = f"<h1>{escape(TITLES[machine.state])}</h1>"
    return f'<section class="banner {machine.state}">{heading}{when}{reason}{hint}</section>'


def _errors(machine: MachineState) -> str:
    if not machine.config_errors:
        return ""
    lines = "".join(f"<li>{escape(line)}</li>" for line in machine.config_errors)
    return f'<section class="errors"><h2>Wrong in the configuration</h2><ul>{lines}</ul></section>'


def _parts(parts: tuple[SeenPart, ...]) -> str:
    if not parts:
        return '<section><h2>Last parts</h2><p class="none">None yet.</p></section>'
    return f'<section><h2>Last parts</h2><ol class="parts">{"".join(map(_part, parts))}</ol></section>'


def _part(part: SeenPart) -> str:
    name = part.name or (f"Part {part.number}" if part.number else "Not recognised")
    picture = (
        f'<img src="/parts/{part.part_id:08d}.jpg" alt="" loading="lazy">'
        if part.has_picture
        else '<span class="blank"></span>'
    )
    why = REASONS.get(part.reason, "")
    details = " · ".join(escape(word) for word in (part.number, part.colour) if word)
    reason = f" <i>{escape(why)}</i>" if why else ""
    return (
        f"<li>{picture}<div><b>{escape(name)}</b><small>{details}</small>"
        f'<span class="bin">{escape(part.bin)}</span>{reason}</div></li>'
    )


def _bins(bins: tuple[BinLevel, ...]) -> str:
    if not bins:
        return ""
    rows = "".join(map(_bin, bins))
    return f'<section><h2>Bins</h2><table class="bins">{rows}</table></section>'


def _bin(level: BinLevel) -> str:
    parts = f"{level.parts:,} part{'' if level.parts == 1 else 's'}"
    if level.share is None:
        return f"<tr><th>{escape(level.name)}</th><td></td><td>{parts}</td></tr>"
    share = min(max(level.share, 0.0), 1.0)
    word = "full" if level.share >= 1 else f"{level.share:.0%}"
    meter = f'<meter value="{share:.2f}" low="0.8" high="0.95" optimum="0">{word}</meter>'
    return f"<tr><th>{escape(level.name)}</th><td>{meter}</td><td>{word} · {parts}</td></tr>"


def _facts(view: View) -> str:
    machine = view.machine
    look = "" if machine.ms_per_look is None else f"{machine.ms_per_look:.1f} ms a look"
    accelerator = ", ".join(word for word in (machine.accelerator, look) if word)
    facts = {"Accelerator": accelerator, "Address": machine.address, "Version": machine.version}
    rows = "".join(f"<dt>{name}</dt><dd>{escape(value)}</dd>" for name, value in facts.items() if value)
    return f"<section><h2>Machine</h2><dl>{rows}</dl></section>" if rows else ""


def _notes(view: View) -> str:
    """How to get in. Without word from the system, what holds on any."""
    host = view.hostname.partition(".")[0]
    lines = view.notes or (
        f"This page: `http://{host}.local`.",
        f"A terminal, where SSH is on: `ssh USER@{host}.local`.",
    )
    items = "".join(f"<li>{_code(line)}</li>" for line in lines if line.strip())
    return f'<section><h2>How to get in</h2><ul class="notes">{items}</ul></section>'


def _code(line: str) -> str:
    """A line with what stands between backquotes as code."""
    pieces = escape(line).split("`")
    return "".join(f"<code>{piece}</code>" if odd % 2 else piece for odd, piece in enumerate(pieces))


def _ago(duration_s: float) -> str:
    """A duration in one unit; empty for one that cannot be (the clock was set meanwhile)."""
    if not 0 <= duration_s < 10 * 365 * 86400:
        return ""
    for unit_s, unit in ((86400, "day"), (3600, "hour"), (60, "minute"), (1, "second")):
        if duration_s >= unit_s:
            number = int(duration_s // unit_s)
            return f"for {number} {unit}{'' if number == 1 else 's'}"
    return "just now"
