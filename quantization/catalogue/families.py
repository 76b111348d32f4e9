"""One canonical number for every mould, letter and old number of the same part."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import takewhile

from edge.catalogue.parts import StarterPart
from quantization.catalogue.headers import Header

LETTER = re.compile(r"^(u?\d+)([a-z])$")
WORDS_OF_A_KIND = 3
"""Letters whose titles begin with the same words and sizes are moulds of one part; others share a bag."""
_DETAIL = {"with", "without", "and", "or", "for", "on", "in", "type", "-", "&", "x"}


@dataclass(slots=True)
class PartType:
    """A class of the universal model.

    Attributes:
        number: canonical.
        moulds: LDraw files, the one that LDraw calls by the number without a letter first.
        title: what all moulds have in common.
        aliases: numbers that LDraw once had, or other catalogues have, for it.
    """

    number: str
    moulds: list[Header]
    title: str
    aliases: list[str] = field(default_factory=list)

    def numbers_of(self, catalogue: str) -> list[str]:
        """What "bricklink" or "rebrickable" calls its moulds, without doubles."""
        return list(dict.fromkeys(number for mould in self.moulds for number in mould.numbers_of(catalogue)))


def group(kept: Sequence[Header], everything: Iterable[Header], starter: Sequence[StarterPart]) -> list[PartType]:
    """The part types of the files that no rule left out.

    Args:
        kept: headers of those files.
        everything: of the whole library, for the numbers that moved.
        starter: families whose number and moulds stay as they are.
    """
    stands_for = {header.number: header.places for header in everything if header.places}
    by_number = {header.number: header for header in kept}
    types: list[PartType] = []
    taken: set[str] = set()
    for part in starter:
        wanted = (*part.ldraw_moulds, *part.aliases)
        moulds = [by_number[number] for number in wanted if number in by_number]
        taken.update(mould.number for mould in moulds)
        if moulds:
            types.append(PartType(part.number, moulds, part.title))
    family_of = {part_type.number: part_type for part_type in types}
    rest: list[Header] = []
    for header in kept:
        if header.number in taken:
            continue
        if header.number in family_of:  # LDraw draws it under the family's very number now
            family_of[header.number].moulds.append(header)
        else:
            rest.append(header)
    types += (_part_type(number, moulds, stands_for) for number, moulds in _by_letter(rest, family_of).items())
    types.sort(key=lambda part_type: _natural(part_type.number))
    _name_apart(types)
    _add_aliases(types, stands_for)
    return types


def followed(number: str, stands_for: Mapping[str, str]) -> str:
    """The number at the end of the chain of moves; the number itself where it goes in a circle."""
    seen = {number}
    now = number
    while now in stands_for:
        now = stands_for[now]
        if now in seen:
            return number
        seen.add(now)
    return now


def _by_letter(headers: Sequence[Header], given: Collection[str]) -> dict[str, list[Header]]:
    """3062a and 3062b under 3062, where that number is not given to a part already; 55707a, a pistol, and 55707d,
    shackles, each under its own number."""
    same: defaultdict[str, list[Header]] = defaultdict(list)
    for header in headers:
        letter = LETTER.match(header.number)
        same[letter[1] if letter else header.number].append(header)
    found: dict[str, list[Header]] = {}
    for number, moulds in same.items():
        if number not in given and len({_kind_of(mould.name) for mould in moulds}) == 1:
            found[number] = moulds
        else:
            found.update((mould.number, [mould]) for mould in moulds)
    return found


def _kind_of(title: str) -> tuple[str, str]:
    before_detail = re.split(r" with(?:out)?\b", title, maxsplit=1)[0]
    size = re.search(r"\d[\d./]*(?: x [\d./&% ]+)+", title)
    return " ".join(before_detail.split()[:WORDS_OF_A_KIND]), size[0].strip() if size else ""


def _part_type(number: str, moulds: list[Header], stands_for: Mapping[str, str]) -> PartType:
    today = followed(number, stands_for)
    moulds = sorted(moulds, key=lambda mould: (mould.number != today, mould.number))
    return PartType(number, moulds, _common_title([mould.name for mould in moulds]))


def _common_title(titles: list[str]) -> str:
    """The words that all titles begin with, without a detail cut short; the first title where that is too little."""
    places = zip(*(title.split() for title in titles), strict=False)
    words = [first for first, *_ in takewhile(lambda words: len(set(words)) == 1, places)]
    if len(titles) > 1:
        while words and (words[-1].lower() in _DETAIL or words[-1].endswith(",") or words[-1].startswith("(")):
            words = words[:-1]
    return " ".join(words) if len(words) > 1 else titles[0]


def _name_apart(types: Sequence[PartType]) -> None:
    """Types that were merged under a common title keep their first mould's where the common one is taken."""
    titles: defaultdict[str, list[PartType]] = defaultdict(list)
    for part_type in types:
        titles[part_type.title.lower()].append(part_type)
    for same in titles.values():
        if len(same) > 1:
            for part_type in same:
                if len(part_type.moulds) > 1:
                    part_type.title = part_type.moulds[0].name


def _add_aliases(types: Sequence[PartType], stands_for: Mapping[str, str]) -> None:
    """Old numbers and other catalogues' numbers, as far as no other type has them."""
    type_of = {mould.number: part_type for part_type in types for mould in part_type.moulds}
    owner = {part_type.number: part_type for part_type in types} | type_of
    for old in sorted(stands_for, key=_natural):
        part_type = type_of.get(followed(old, stands_for))
        if part_type is not None and owner.setdefault(old, part_type) is part_type and old != part_type.number:
            part_type.aliases.append(old)
    for part_type in types:
        for number in (*part_type.numbers_of("rebrickable"), *part_type.numbers_of("bricklink")):
            known = number.lower()
            if owner.setdefault(known, part_type) is part_type and known not in {
                part_type.number, *part_type.aliases, *(mould.number for mould in part_type.moulds)
            }:  # fmt: skip
                part_type.aliases.append(known)


def _natural(number: str) -> tuple[bool, int, str]:
    digits = re.search(r"\d+", number)
    return number.startswith("u"), int(digits[0]) if digits else 0, number
