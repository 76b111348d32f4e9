"""The rules by which a file of the LDraw library is no part type of the universal model.

A part type is one mould as it comes out of the machine, of LEGO's System or Technic, rigid, whole, and of a size
that a belt can carry. The first rule that fits a file names it in `excluded.csv`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from quantization.catalogue.headers import Header
from quantization.ldraw.library import MOVED_PREFIX

LONGEST_MM = 130.0
"""Of the box around a part: 16 studs, the longest beams and plates that are common. It leaves out 3 % of the parts."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One reason to leave a file out: `fits` tells by the header."""

    name: str
    reason: str
    fits: Callable[[Header], bool]


def _title(pattern: str) -> Callable[[Header], bool]:
    """Fits the title up to "with": what follows is a detail."""
    compiled = re.compile(pattern)
    return lambda header: bool(compiled.search(re.split(r"\bwith(?:out)?\b", header.name, maxsplit=1)[0]))


def _category(*categories: str) -> Callable[[Header], bool]:
    return lambda header: header.category in categories


def _any(*tests: Callable[[Header], bool]) -> Callable[[Header], bool]:
    return lambda header: any(test(header) for test in tests)


def _kind(word: str) -> Callable[[Header], bool]:
    return lambda header: word in header.kind


def _number(pattern: str) -> Callable[[Header], bool]:
    compiled = re.compile(pattern)
    return lambda header: bool(compiled.search(header.number))


def _mark(*marks: str) -> Callable[[Header], bool]:
    return lambda header: header.title.startswith(marks)


def _whole_title(pattern: str) -> Callable[[Header], bool]:
    compiled = re.compile(pattern)
    return lambda header: bool(compiled.search(header.title))


RULES = (
    Rule(
        "broken", "the file has no title or no kind: it is damaged", lambda header: not (header.title and header.kind)
    ),
    Rule("moved", "an old number of another file; it is kept as an alias", _mark(MOVED_PREFIX)),
    Rule("alias", "another number of the same mould; it is kept as an alias", _any(_mark("="), _kind("Alias"))),
    Rule(
        "fixed-colour",
        "the same mould as another file, in one colour",
        _any(_mark("_", "~_"), _kind("Physical_Colour")),
    ),
    Rule("inner", "comes only inside an assembly, or is obsolete: LDraw marks it with ~", _mark("~")),
    Rule("foreign", "made by somebody else than LEGO", _mark("|")),
    Rule(
        "sticker",
        "a sticker, or a part with one on it",
        _any(_category("Sticker", "Sticker Shortcut"), _number(r"d[0-9a-z]{2}$")),
    ),
    Rule(
        "assembly",
        "made of several parts that are listed themselves",
        _any(_kind("Shortcut"), _whole_title(r"\((Complete|Shortcut)\)")),
    ),
    Rule(
        "patterned",
        "a printed part: the mould is listed without its print",
        _any(_whole_title(r"\bPattern(ed)?\b"), _number(r"^u?\d+[a-z]*p[0-9a-z]+$")),
    ),
    Rule(
        "formed",
        "one of many shapes of a part that bends",
        _any(_kind("Flexible_Section"), _number(r"-f\d+$|[ck]\d\d$"), _whole_title(r"\bFormed\b")),
    ),
    Rule("sprue", "several parts still on their sprue", _whole_title(r"\bSprue\b")),
    Rule("unfinished", "LDraw's own drawing is marked as needing work", _whole_title(r"(?i)\((Needs Work|Obsolete)\)")),
    Rule("unnumbered", "LDraw knows no number of LEGO's for it: rare, and in no other catalogue", _number(r"^u\d")),
    Rule(
        "other-system",
        "of a building system that does not go with bricks (Duplo, Fabuland, Scala, Znap …)",
        _any(
            _whole_title(
                r"\b(Duplo|Fabuland|Scala|Znap|Mursten|Homemaker|Clikits|Modulex|Primo|Quatro|Belville|Maxifig)\b"
            ),
            _category("Duplo", "Scala", "Znap", "Belville", "Homemaker", "Clikits"),
        ),
    ),
    Rule(
        "soft",
        "cloth, foil, cardboard, string, hose or rubber: it has no shape of its own",
        _any(
            _category("Sheet Fabric", "Sheet Plastic", "Sheet Cardboard", "String", "Hose"),
            _title(r"\b(Cloth|String|Net|Rubber|Elastic|Hose|Tube|Flexible|Cape|Sail|Cable|Wire|Cardboard)\b"),
        ),
    ),
    Rule("tyre", "rubber, and mostly still on its wheel", _category("Tyre")),
    Rule("electric", "motors, lights, sensors and their innards", _category("Electric", "Battery")),
    Rule("animal", "animals: hundreds of single figures", _any(_category("Animal"), _title(r"^Animal\b"))),
    Rule(
        "worn",
        "hair, hats, helmets, armour and other clothing of figures: told apart by taste more than by shape",
        _category("Minifig Headwear", "Minifig Neckwear", "Minifig Hipwear", "Minifig Footwear"),
    ),
    Rule(
        "figure",
        "figures other than minifigs, and what belongs to them alone",
        _any(_category("Figure", "Figure Accessory"), _title(r"^(Figure|Bigfig|Microfig)\b|Action Figure")),
    ),
    Rule(
        "body",
        "heads, torsos and limbs of minifigs: they come put together, and heads as sculptures by the hundred",
        _category("Minifig"),
    ),
    Rule(
        "constraction",
        "limbs, shells and weapons of Bionicle and Hero Factory",
        _category("Constraction", "Constraction Accessory"),
    ),
    Rule(
        "track",
        "rails, roads and roller coasters: larger than a belt, and sorted by hand",
        _any(_category("Monorail"), _title(r"\bTrack\b(?! Link)")),
    ),
    Rule("ground", "baseplates, larger than a belt", _category("Baseplate")),
)


def rule_against(header: Header) -> Rule | None:
    """The first rule that leaves this file out; None for a part type."""
    return next((rule for rule in RULES if rule.fits(header)), None)


def _by_geometry(_: Header) -> bool:
    return False


NO_MESH = Rule("no-mesh", "its file cannot be meshed", _by_geometry)
EMPTY = Rule("empty", "none of its moulds can be meshed", _by_geometry)
TOO_LONG = Rule("too-long", f"longer than {LONGEST_MM:.0f} mm: larger than a belt, and sorted by hand", _by_geometry)
"""What only the mesh can tell; `quantization.catalogue.build` goes by these."""
