"""From an LDraw library to the catalogue: the list of part types, what was left out, and what looks alike."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from edge.catalogue.parts import load_starter_parts
from edge.errors import InputError
from quantization.catalogue import tables
from quantization.catalogue.alignment import Surfaces
from quantization.catalogue.families import PartType, group
from quantization.catalogue.headers import Header, parts_dir, read_headers
from quantization.catalogue.lookalikes import Mould, find_look_alikes
from quantization.catalogue.rules import EMPTY, LONGEST_MM, NO_MESH, TOO_LONG, rule_against
from quantization.catalogue.shapes import Drawings, Shape, measure_all
from quantization.catalogue.tables import Excluded
from quantization.ldraw.library import Library


@dataclass(frozen=True, slots=True)
class Choice:
    """What the headers alone say."""

    types: list[PartType]
    excluded: list[Excluded]


def make_catalogue(out: Path, library: Path | None, report: Callable[[str], None]) -> tuple[int, int]:
    """Write the three tables into `out`.

    Args:
        library: LDraw's folder, by default this computer's.
        report: takes a line at a time.

    Returns:
        Number of part types, and of pairs that look alike.

    Raises:
        BrickgateError: no library, or one that holds not a single part type; or no table can be written into `out`,
            which is found out first.
    """
    parts = parts_dir(library)
    tables.check_folder(out)
    choice = choose(read_headers(parts), report)
    numbers = [mould.number for part_type in choice.types for mould in part_type.moulds]
    drawings = Drawings(Library(parts.parent))
    shapes, problems = measure_all(numbers, drawings, report)
    types, unfit = keep_measured(choice.types, shapes, problems)
    for excluded in unfit:
        if excluded.rule != TOO_LONG.name:
            report(f"{excluded.number} ({excluded.description}) is left out: {excluded.reason}")
    if not types:
        raise InputError(f"{parts} holds no part type: give a whole LDraw library")
    moulds = [Mould(part_type.number, shapes[mould.number]) for part_type in types for mould in part_type.moulds]
    pairs = find_look_alikes(moulds, Surfaces(drawings).covers, report)
    tables.write_parts(out / tables.PARTS, types, shapes)
    tables.write_excluded(out / tables.EXCLUDED, [*choice.excluded, *unfit])
    tables.write_look_alikes(out / tables.LOOK_ALIKES, pairs)
    return len(types), len(pairs)


def choose(headers: Sequence[Header], report: Callable[[str], None]) -> Choice:
    """Apply the rules and bring moulds of one part together."""
    kept: list[Header] = []
    excluded: list[Excluded] = []
    for header in headers:
        rule = rule_against(header)
        if rule is None:
            kept.append(header)
        else:
            excluded.append(Excluded(header.number, header.title, rule.name, rule.reason))
            if rule.name == "broken":
                report(f"{header.number}.dat is left out: {rule.reason}")
    counts = Counter(entry.rule for entry in excluded)
    report(f"{len(headers)} files: " + ", ".join(f"{count} {name}" for name, count in counts.most_common()))
    types = group(kept, headers, load_starter_parts())
    report(f"{len(kept)} files left, {len(types)} part types")
    return Choice(types, excluded)


def keep_measured(
    types: Sequence[PartType], shapes: dict[str, Shape], problems: dict[str, str]
) -> tuple[list[PartType], list[Excluded]]:
    """The types without moulds that do not mesh and without types too long for a belt."""
    kept: list[PartType] = []
    excluded: list[Excluded] = []
    for part_type in types:
        excluded += (
            Excluded(mould.number, mould.title, NO_MESH.name, problems[mould.number])
            for mould in part_type.moulds
            if mould.number in problems
        )
        whole = [mould for mould in part_type.moulds if mould.number in shapes]
        if not whole:
            if part_type.number not in problems:
                excluded.append(Excluded(part_type.number, part_type.title, EMPTY.name, EMPTY.reason))
        elif max(shapes[mould.number].sides_mm[0] for mould in whole) > LONGEST_MM:
            excluded += (Excluded(mould.number, mould.title, TOO_LONG.name, TOO_LONG.reason) for mould in whole)
        else:
            part_type.moulds[:] = whole
            kept.append(part_type)
    return kept, excluded
