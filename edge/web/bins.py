"""How full the bins are, by the counts that the run keeps beside its journal and the limits in bins.yaml."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edge.errors import BrickgateError

_UNREAD = (-1, -1)


@dataclass(frozen=True, slots=True)
class BinLevel:
    """What is in a bin. `share` is how full it is, 1 and more when full; None for a bin without a limit."""

    name: str
    parts: int
    share: float | None


class BinLevels:
    """Reads the counts at each call, and bins.yaml when it has changed."""

    def __init__(self, journal: Path, bins_file: Path | None) -> None:
        self._journal, self._bins_file = journal, bins_file
        self._stamp = _UNREAD
        self._limits: dict[str, tuple[int | None, float | None]] = {}

    def read(self) -> tuple[BinLevel, ...]:
        """Every bin, in the order of bins.yaml where that is valid, and else in that of the counts."""
        from edge.routing.fill_file import FillFile

        counts = FillFile(self._journal).read()
        limits = self._read_limits()
        names = [*(name for name in limits), *(name for name in counts if name not in limits)]
        return tuple(_level(name, *counts.get(name, (0, 0.0)), *limits.get(name, (None, None))) for name in names)

    def _read_limits(self) -> dict[str, tuple[int | None, float | None]]:
        if self._bins_file is None:
            return {}
        try:
            state = self._bins_file.stat()
        except OSError:
            return {}
        stamp = (state.st_mtime_ns, state.st_size)
        if stamp != self._stamp:
            self._stamp, self._limits = stamp, _limits_in(self._bins_file)
        return self._limits


def _limits_in(bins_file: Path) -> dict[str, tuple[int | None, float | None]]:
    from edge.config.load import load_bins

    try:
        bins = load_bins(bins_file)
    except BrickgateError:
        # The service says what is wrong with it; the counts stand without it.
        return {}
    limits = {name: (bin_.full_after, bin_.holds_l) for bin_ in bins.bins for name in bin_.names}
    return {name: limits.get(name, (None, None)) for name in bins.all_bins}


def _level(name: str, parts: int, litres: float, full_after: int | None, holds_l: float | None) -> BinLevel:
    shares = [have / most for have, most in ((parts, full_after), (litres, holds_l)) if most]
    return BinLevel(name, parts, max(shares, default=None))
