"""What may stand in bins.yaml: the way of the belt through the gates, the bins, and what each accepts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Discriminator, Field, Tag, ValidationInfo, model_validator

from edge.config.fields import Number, Section, Text, Texts, Whole
from edge.config.findings import KeyPath

Way = tuple[tuple[str, str], ...]
"""(gate, position) from the first gate to a bin."""
LengthMm = Annotated[Number, Field(gt=0, le=10_000)]
_BIN, _GATE = "<bin>", "<gate>"
"""pydantic's steps into an exit; no key of a YAML file looks so."""


@dataclass(frozen=True, slots=True)
class PartList:
    """A file of part numbers, one a line; what follows # is a remark."""

    file: Path
    numbers: tuple[str, ...]
    lines: tuple[int, ...]
    """Line of each number, from 1."""


def _read_part_list(value: Any, info: ValidationInfo) -> Any:
    if not isinstance(value, str):
        return value
    folder = (info.context or {}).get("folder", Path())
    file = Path(folder) / value
    try:
        rows = [line.split("#")[0].strip() for line in file.read_text(encoding="utf-8-sig").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "is no text file"
        raise ValueError(f"'{value}' cannot be read ({why}): name a text file with a part number a line") from error
    found = [(number, line) for line, number in enumerate(rows, start=1) if number]
    if not found:
        raise ValueError(f"'{value}' holds no part number: write one a line")
    return PartList(file, tuple(number for number, _ in found), tuple(line for _, line in found))


class Rule(Section):
    """What a bin accepts. All keys given must hold; of a list any entry does. Sizes are the part's own."""

    parts: Texts | None = None
    part_list: Annotated[PartList | None, BeforeValidator(_read_part_list), Field(alias="list")] = None
    look_alikes: Annotated[bool | None, Field(strict=True)] = None
    """Whether what looks like the listed parts comes too: mould variants, mirror images."""
    category: Texts | None = None
    colour: Texts | None = None
    transparent: Annotated[bool | None, Field(strict=True)] = None
    min_length_mm: LengthMm | None = None
    max_length_mm: LengthMm | None = None
    min_width_mm: LengthMm | None = None
    max_width_mm: LengthMm | None = None
    min_height_mm: LengthMm | None = None
    max_height_mm: LengthMm | None = None

    @model_validator(mode="after")
    def _sensible(self) -> Rule:
        if not self.model_fields_set:
            raise ValueError("an empty rule would take every part: name parts, a category, a colour or a size")
        if self.look_alikes is not None and self.parts is None and self.part_list is None:
            raise ValueError("look_alikes is about the parts of this rule: name parts or a list beside it")
        for side in ("length", "width", "height"):
            low, high = getattr(self, f"min_{side}_mm"), getattr(self, f"max_{side}_mm")
            if low is not None and high is not None and low > high:
                raise ValueError(f"min_{side}_mm {low:g} is above max_{side}_mm {high:g}: no part fits")
        return self


class BinConfig(Section):
    """One bin, or several that share what they accept: any of the rules suffices."""

    names: Annotated[Texts, Field(alias="name")]
    """Of several, the emptiest whose gates are free takes the next part."""
    accept: Annotated[tuple[Rule, ...], Field(min_length=1)]
    full_after: Annotated[Whole, Field(ge=1, le=1_000_000)] | None = None
    """Parts that each holds; what comes later goes to the bins that share its rules, or to the default bin."""
    holds_l: Annotated[Number, Field(gt=0, le=1000)] | None = None
    """Litres that each holds, by the sizes of the parts that were sent there; the same then."""


def _bin_or_gate(value: Any) -> str:
    return _GATE if isinstance(value, dict | LayoutNode) else _BIN


class LayoutNode(Section):
    """One gate on the belt's way and where each of its positions leads: to a bin or on to another gate.

    In the YAML the positions stand beside `gate`; here they are `exits`.
    """

    gate: Text
    exits: Annotated[
        dict[
            str,
            Annotated[Annotated[Text, Tag(_BIN)] | Annotated[LayoutNode, Tag(_GATE)], Discriminator(_bin_or_gate)],
        ],
        Field(min_length=1),
    ]

    @model_validator(mode="before")
    @classmethod
    def _exits_beside_gate(cls, node: Any) -> Any:
        if isinstance(node, dict) and not isinstance(node.get("exits"), dict):
            return {
                "exits": {position: way for position, way in node.items() if position != "gate"},
                **({"gate": node["gate"]} if "gate" in node else {}),
            }
        return node

    def nodes(self, path: KeyPath = ()) -> Iterator[tuple[LayoutNode, KeyPath]]:
        """This gate and all behind it, in the YAML's order, each with the place where it stands below `path`."""
        yield self, path
        for position, exit_ in self.exits.items():
            if isinstance(exit_, LayoutNode):
                yield from exit_.nodes((*path, position))

    def ways(self, before: Way = ()) -> Iterator[tuple[str, Way]]:
        """Every leaf, in the YAML's order: the bin's name and the way to it."""
        for position, exit_ in self.exits.items():
            way = (*before, (self.gate, position))
            if isinstance(exit_, LayoutNode):
                yield from exit_.ways(way)
            else:
                yield exit_, way


class BinsConfig(Section):
    """bins.yaml. The first bin with a matching rule takes a part; bins with the same rule share it."""

    default_bin: Text
    recirculates: Annotated[bool, Field(strict=True)] = False
    """What reaches `default_bin` comes back to the feeder."""
    leftover_bin: Text | None = None
    """Of a belt that recirculates: where that goes which would go round for ever."""
    unsure_rounds: Annotated[Whole, Field(ge=1, le=100)] = 5
    """Of the parts that are unsure, one in so many goes to `leftover_bin`, the others round again."""
    layout: LayoutNode
    bins: Annotated[tuple[BinConfig, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _leftovers_of_a_round(self) -> BinsConfig:
        if not self.recirculates:
            for key in ("leftover_bin", "unsure_rounds"):
                if key in self.model_fields_set:
                    raise ValueError(f"{key} is for a belt with recirculates: true; take it out, or set that")
        elif self.leftover_bin is None and "unsure_rounds" in self.model_fields_set:
            raise ValueError("unsure_rounds needs a leftover_bin for what has gone round")
        return self

    @property
    def names(self) -> tuple[str, ...]:
        """Every bin that accepts something, from the top."""
        return tuple(name for bin_ in self.bins for name in bin_.names)

    @property
    def all_bins(self) -> tuple[str, ...]:
        """Every place in which a part may stay: not the belt's end where that leads back to the feeder."""
        leftover = () if self.leftover_bin is None else (self.leftover_bin,)
        default = () if self.recirculates else (self.default_bin,)
        return tuple(dict.fromkeys((*self.names, *leftover, *default)))

    def ways(self) -> dict[str, tuple[Way, ...]]:
        """The ways to each bin that the layout leads to."""
        found: dict[str, tuple[Way, ...]] = {}
        for name, way in self.layout.ways():
            found[name] = (*found.get(name, ()), way)
        return found
