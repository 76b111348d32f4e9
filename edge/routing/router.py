"""Decides on the bin, not on the part: look-alikes that share a bin need no telling apart."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from edge.catalogue.colours import Colour
from edge.catalogue.parts import PartCatalogue
from edge.config.bins import BinsConfig
from edge.records import BinDecision, DecisionReason, Scores, Verdict
from edge.routing.fill import FEEDER, BinFill
from edge.routing.rules import NOBODY, compile_rules

_TIE = 0.01
"""Bins whose masses differ by less are equally good: posteriors are not calibrated any finer."""
_ROUNDING = 1e-6


class Router:
    """Chooses the bin with the least expected cost for each verdict, and balances bins that share a rule.

    A part in the default bin costs 1, in a wrong bin 1 / (1 − `sure_above`), in a right bin nothing. A bin
    with posterior mass m then costs (1 − m) / (1 − `sure_above`): less than the default bin exactly when m
    is above `sure_above`.

    On a belt that recirculates the default bin is no end: what no bin asks for, or finds its bins full, goes to the
    leftover bin at once, and of the unsure parts those do whose track number is a multiple of `unsure_rounds`. Nobody
    can tell a part that comes again, so this is what keeps one that cannot be recognised from going round for ever: it
    does so `unsure_rounds` times on the average.

    `decide` changes nothing and may be asked about one part again and again; tell `sent` once where it went.
    """

    def __init__(
        self,
        bins: BinsConfig,
        catalogue: PartCatalogue,
        colours: Sequence[Colour],
        sure_above: float,
        warn: Callable[[str], None] = lambda line: None,
    ) -> None:
        """Args:
        bins: bins.yaml.
        catalogue: the model's parts.
        colours: in the order of the colour scores.
        sure_above: posterior mass from which a bin is decided for.
        warn: told in one line when a bin is full.
        """
        self.table = compile_rules(bins, catalogue, colours)
        self._default_bin = bins.default_bin
        self._leftover_bin = bins.leftover_bin or bins.default_bin
        self._unsure_rounds = bins.unsure_rounds
        self._sure_above = sure_above
        self.fill = BinFill(bins, catalogue, warn)
        self._reachable = set(bins.ways())
        # Parts with the same row share one: a decision then costs rows × colours, not parts × colours.
        self._rows, row_of = np.unique(self.table.group_of, axis=0, return_inverse=True)
        self._row_of = row_of.reshape(-1)
        self._uniform = np.full(len(colours), 1 / len(colours))

    @property
    def counts(self) -> dict[str, int]:
        """Parts sent to each bin since the start or since it was emptied."""
        return self.fill.counts

    def sent(self, bin_name: str, instead_of: str | None = None, verdict: Verdict | None = None) -> None:
        """Counts a part that was really sent to a bin; the balance, `full_after` and `holds_l` go by it.

        Args:
            instead_of: the bin it was counted for before its plan was changed.
            verdict: what it was taken for; without it, it takes no room.
        """
        self.fill.sent(bin_name, instead_of, verdict.part_posterior if verdict else None)

    def taken_back(self, bin_name: str, verdict: Verdict | None = None) -> None:
        """A part that was counted for a bin went back to the feeder instead."""
        self.fill.sent(FEEDER, bin_name, verdict.part_posterior if verdict else None)

    def is_full(self, bin_name: str) -> bool:
        """Whether it has taken as much as it holds."""
        return self.fill.is_full(bin_name)

    def group_masses(self, part_posterior: Scores, colour_posterior: Scores) -> NDArray[np.float64]:
        """(G,) posterior mass of each group of `table`, together that of the parts. When the colour was not
        measured, all are equally likely."""
        groups = len(self.table.members)
        by_row = np.bincount(self._row_of, weights=part_posterior, minlength=len(self._rows))
        if not self.table.uses_colour:
            masses = np.bincount(self._rows[:, 0], weights=by_row, minlength=groups)
        else:
            by_colour = colour_posterior if len(colour_posterior) else self._uniform
            joint = np.multiply.outer(by_row, by_colour)
            masses = np.bincount(self._rows.reshape(-1), weights=joint.reshape(-1), minlength=groups)
        return masses.astype(np.float64, copy=False)

    def decide(self, verdict: Verdict) -> BinDecision:
        """The bin for a verdict.

        Of bins that are equally right it is the emptiest; the others are the decision's `candidates`.
        """
        masses = self.group_masses(verdict.part_posterior, verdict.colour_posterior)
        by_bin = masses @ self.table.members
        best = int(by_bin.argmax())
        nobody = float(masses[NOBODY])
        if verdict.unsure:
            return self._unsure(verdict, nobody, verdict.reason)
        if self._is_sure(nobody) and nobody >= by_bin[best]:
            return self._left_over(verdict, DecisionReason.NO_RULE, nobody, "no bin asks for it")
        if not self._is_sure(by_bin[best]):
            detail = f"{self.table.bins[best]} {by_bin[best]:.2f}, below {self._sure_above:.2f}"
            return self._unsure(verdict, nobody, detail)
        right = [
            name
            for name, mass in zip(self.table.bins, by_bin, strict=True)
            if self._is_sure(mass) and mass >= by_bin[best] - _TIE
        ]
        return self._among(right, verdict, float(by_bin[best]), nobody)

    def _among(self, right: list[str], verdict: Verdict, mass: float, nobody: float) -> BinDecision:
        usable = [name for name in right if name in self._reachable and not self.is_full(name)]
        if not usable:
            detail = "; ".join(f"{name} is {'full' if self.is_full(name) else 'not available'}" for name in right)
            return self._left_over(verdict, DecisionReason.REFUSED, nobody, detail)
        usable = self.fill.emptiest_first(usable)
        return BinDecision(
            track_id=verdict.track_id,
            bin=usable[0],
            reason=DecisionReason.CERTAIN,
            probability=mass,
            detail=verdict.reason,
            candidates=tuple(usable[1:]),
        )

    def _is_sure(self, mass: float) -> bool:
        return bool(mass >= self._sure_above - _ROUNDING)

    def _unsure(self, verdict: Verdict, probability: float, detail: str) -> BinDecision:
        leaves = verdict.track_id % self._unsure_rounds == 0
        bin_ = self._leftover_bin if leaves else self._default_bin
        return BinDecision(verdict.track_id, bin_, DecisionReason.UNSURE, probability, detail)

    def _left_over(self, verdict: Verdict, reason: DecisionReason, probability: float, detail: str) -> BinDecision:
        return BinDecision(verdict.track_id, self._leftover_bin, reason, probability, detail)
