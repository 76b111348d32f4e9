"""How well a simulated run sorted, against the truth about every part."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from edge.sim.parts import SimPart

NEAR_MM = 12.0
"""How far the middle of a track may lie from that of the part it follows."""


class Fate(StrEnum):
    """What became of a part. Exactly one holds."""

    RIGHT = "right"
    WRONG = "wrong"
    """In a named bin in which it does not belong."""
    UNSURE = "unsure"
    """In the default bin, by the network's doubt or because nobody saw it; or likewise in the leftover bin."""
    REFUSED = "refused"
    """In the default bin, because the planner could not serve it."""
    LOST = "lost"
    """In no bin."""


@dataclass(frozen=True, slots=True)
class Decided:
    """What the machine made of one track. `x_belt_mm` is its middle, as the machine reads the belt."""

    x_belt_mm: float
    y_mm: float
    part: str
    refused: bool
    best_bin: str
    """The bin with the most posterior mass, whether it was sure or not; where no rule wants it, that of such parts."""


@dataclass(slots=True)
class BinTally:
    """Counts of one bin: parts that belong there, parts that do not, and parts that belong there wherever they are."""

    right: int = 0
    wrong: int = 0
    wanted: int = 0


@dataclass(slots=True)
class Score:
    """The sum of a run. right + wrong + unsure + refused + lost = parts_fed."""

    parts_fed: int = 0
    """Those that came again not counted again: what counts is where they were last."""
    again: int = 0
    """How often a part came again."""
    fates: dict[Fate, int] = field(default_factory=lambda: dict.fromkeys(Fate, 0))
    bins: dict[str, BinTally] = field(default_factory=dict)
    matched: int = 0
    part_right: int = 0
    bin_right: int = 0
    in_named: int = 0
    right_in_named: int = 0
    belong_in_named: int = 0

    @property
    def purity(self) -> float:
        """Of the parts in named bins, the share that belongs there; 1 for empty bins."""
        return self.right_in_named / self.in_named if self.in_named else 1.0

    @property
    def recovery(self) -> float:
        """Of the parts that belong in a named bin, the share that got there; 1 when none does."""
        return self.right_in_named / self.belong_in_named if self.belong_in_named else 1.0

    @property
    def part_top1(self) -> float:
        """Share of the matched parts whose likeliest part is the true one."""
        return self.part_right / self.matched if self.matched else 0.0

    @property
    def bin_accuracy(self) -> float:
        """Share of the matched parts whose likeliest bin is right."""
        return self.bin_right / self.matched if self.matched else 0.0


def score(
    truth: Sequence[SimPart],
    decided: Sequence[Decided],
    belongs: Callable[[SimPart], tuple[str, ...]],
    bins: Sequence[str],
    default_bin: str,
    leftover_bin: str | None = None,
) -> Score:
    """Compares where each part ended with where it belongs.

    Args:
        truth: every part fed.
        decided: every track decided.
        belongs: the named bins in which a part belongs; empty for one that no rule wants.
        bins: the named bins.
        default_bin: for doubts, refusals and parts that no rule wants.
        leftover_bin: for the last of them, and some of the doubts, where the default bin comes back to the feeder.
    """
    home = leftover_bin or default_bin
    last = [part for part in truth if part.fed_again_as is None]
    unnamed = tuple(dict.fromkeys((home, default_bin)))
    result = Score(len(last), len(truth) - len(last), bins={name: BinTally() for name in (*bins, *unnamed)})
    tracks = match(truth, decided)
    for part in last:
        wanted = belongs(part)
        track = tracks.get(part.part_id)
        fate = fate_of(part, wanted, track, *unnamed)
        result.fates[fate] += 1
        _tally(result, part, wanted, fate, unnamed)
        if track is not None:
            result.matched += 1
            result.part_right += track.part == part.family
            result.bin_right += track.best_bin in (wanted or (home,))
    return result


def fate_of(part: SimPart, wanted: tuple[str, ...], track: Decided | None, home: str, *comes_back: str) -> Fate:
    """What became of one part.

    Args:
        wanted: the named bins in which it belongs.
        track: what the machine made of it.
        home: the bin of parts that no rule wants.
        comes_back: the default bin, where that is another.
    """
    if part.bin is None:
        return Fate.LOST
    if part.bin in (wanted or (home,)):
        return Fate.RIGHT
    if part.bin not in (home, *comes_back):
        return Fate.WRONG
    return Fate.REFUSED if track is not None and track.refused else Fate.UNSURE


def _tally(result: Score, part: SimPart, wanted: tuple[str, ...], fate: Fate, unnamed: tuple[str, ...]) -> None:
    named = part.bin is not None and part.bin not in unnamed
    result.in_named += named
    result.right_in_named += named and fate is Fate.RIGHT
    result.belong_in_named += bool(wanted)
    # A part that several bins may have counts once: where it is, or, elsewhere, for the first of them.
    home = part.bin if fate is Fate.RIGHT and part.bin else (*wanted, unnamed[0])[0]
    result.bins[home].wanted += 1
    if part.bin in result.bins:
        tally = result.bins[part.bin]
        tally.right += fate is Fate.RIGHT
        tally.wrong += fate is Fate.WRONG


def match(truth: Sequence[SimPart], decided: Sequence[Decided]) -> Mapping[int, Decided]:
    """The nearest track of each part, by place on the belt; one track serves one part."""
    pairs = []
    tracks = sorted(decided, key=lambda track: track.x_belt_mm)
    start = 0
    for part in sorted((p for p in truth if p.seen_belt_mm is not None), key=lambda p: p.seen_belt_mm or 0.0):
        place = part.seen_belt_mm or 0.0
        while start < len(tracks) and tracks[start].x_belt_mm < place - NEAR_MM:
            start += 1
        for track in tracks[start:]:
            if track.x_belt_mm > place + NEAR_MM:
                break
            distance = abs(track.x_belt_mm - place) + abs(track.y_mm - part.y_mm)
            pairs.append((distance, part.part_id, track))
    found: dict[int, Decided] = {}
    taken: set[int] = set()
    for _, part_id, track in sorted(pairs, key=lambda pair: pair[:2]):
        if part_id not in found and id(track) not in taken:
            found[part_id] = track
            taken.add(id(track))
    return found
