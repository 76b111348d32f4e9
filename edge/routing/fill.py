"""How full the bins are: by the parts sent there, and by the room that these take."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from edge.catalogue.parts import PartCatalogue
from edge.config.bins import BinsConfig
from edge.records import Scores

PACKING = 0.5
"""Share of a bin's room that the boxes around its parts fill. Spheres poured loosely fill 0.555 (Onoda and Liniger,
Phys. Rev. Lett. 64, 2727, 1990), boxes of mixed shapes about the same; the rest is for the heap that a chute makes.
Rather too small: a bin is then called full a little too early, not when it has run over."""
MM3_PER_L = 1e6
FEEDER = ""
"""In the place of a bin's name, for what goes back to the feeder."""


class BinFill:
    """Counts what was sent to each bin since the start or since it was emptied, and says once when one is full.

    Parts are counted by the control loop; word of emptied bins comes from the thread that keeps the counts on the disk.
    """

    def __init__(self, bins: BinsConfig, catalogue: PartCatalogue, warn: Callable[[str], None]) -> None:
        self._elsewhere = bins.leftover_bin or bins.default_bin
        self._warn = warn
        names = bins.all_bins
        self._counts = dict.fromkeys(names, 0)
        self._litres = dict.fromkeys(names, 0.0)
        limited = [(name, bin_) for bin_ in bins.bins for name in bin_.names if name != bins.default_bin]
        self._full_after = {name: bin_.full_after for name, bin_ in limited if bin_.full_after is not None}
        self._holds_l = {name: bin_.holds_l for name, bin_ in limited if bin_.holds_l is not None}
        self._litres_of = part_litres(catalogue)
        self._told: set[str] = set()
        self._again = 0
        # A count is read and written again: a bin that is emptied in between would stay as full as it was.
        self._lock = threading.Lock()

    @property
    def counts(self) -> dict[str, int]:
        """Parts in each bin."""
        return dict(self._counts)

    @property
    def again(self) -> int:
        """Parts of this run that were sent round to the feeder, each time that they were."""
        return self._again

    @property
    def litres(self) -> dict[str, float]:
        """Room that they take, by the size of the parts that they were taken for."""
        return dict(self._litres)

    def share(self, bin_name: str) -> float | None:
        """How full it is, 1 and more when it is full; None for a bin without end."""
        shares = []
        if (most := self._full_after.get(bin_name)) is not None:
            shares.append(self._counts[bin_name] / most)
        if (most_l := self._holds_l.get(bin_name)) is not None:
            shares.append(self._litres[bin_name] / most_l)
        return max(shares, default=None)

    def is_full(self, bin_name: str) -> bool:
        share = self.share(bin_name)
        return share is not None and share >= 1

    def emptiest_first(self, bin_names: Iterable[str]) -> list[str]:
        """The bins by how full they are: by their share where each has an end, else by their parts."""
        names = list(bin_names)
        shares = {name: self.share(name) for name in names}
        if any(share is None for share in shares.values()):
            return sorted(names, key=self._counts.__getitem__)
        return sorted(names, key=lambda name: shares[name] or 0.0)

    def sent(self, bin_name: str, instead_of: str | None, part_posterior: Scores | None) -> None:
        """Counts a part that goes to one bin, and no longer to the other. What goes round to the feeder is in none."""
        litres = 0.0 if part_posterior is None else float(part_posterior @ self._litres_of)
        with self._lock:
            if instead_of is not None and instead_of not in self._counts:
                self._again -= 1
            elif instead_of is not None:
                self._counts[instead_of] = max(self._counts[instead_of] - 1, 0)
                self._litres[instead_of] = max(self._litres[instead_of] - litres, 0.0)
            if bin_name not in self._counts:
                self._again += 1
                return
            self._counts[bin_name] += 1
            self._litres[bin_name] += litres
        self._tell_when_full(bin_name)

    def emptied(self, bin_name: str) -> None:
        """Starts a bin's count again; a name that is no bin's is none of ours."""
        with self._lock:
            if bin_name in self._counts:
                self._counts[bin_name], self._litres[bin_name] = 0, 0.0
                self._told.discard(bin_name)

    def contents(self) -> dict[str, tuple[int, float]]:
        """(parts, litres) in each bin."""
        with self._lock:
            return {name: (count, round(self._litres[name], 6)) for name, count in self._counts.items()}

    def restore(self, contents: Mapping[str, tuple[int, float]]) -> None:
        """Goes on from what was in the bins; those that are no longer there are left out."""
        for name in self._counts.keys() & contents.keys():
            with self._lock:
                self._counts[name], self._litres[name] = contents[name]
            self._tell_when_full(name)

    def _tell_when_full(self, bin_name: str) -> None:
        if bin_name not in self._told and self.is_full(bin_name):
            self._told.add(bin_name)
            self._warn(
                f"bin {bin_name} is full: {self._counts[bin_name]} parts, about {self._litres[bin_name]:.2g} l; its"
                f" parts now go to bins with the same rule, or to {self._elsewhere}, until it is emptied"
                f" (brickgate bins --emptied {bin_name})"
            )


def part_litres(catalogue: PartCatalogue) -> NDArray[np.float32]:
    """(K,) room that each part takes in a bin, in litres: the box around it, over `PACKING`. A part without a size
    takes that of the middle one."""
    boxes = np.array([part.length_mm * part.width_mm * part.height_mm for part in catalogue.parts], np.float64)
    known = boxes > 0
    boxes[~known] = float(np.median(boxes[known])) if known.any() else 0.0
    return (boxes / (MM3_PER_L * PACKING)).astype(np.float32)
