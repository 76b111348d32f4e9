"""One run of the truth machine with faults, and whether it answered them as it must."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from truth_machine import TruthMachine

from edge.journal.journal import Journal
from edge.journal.read import read_journal
from edge.sim.disk import DiskFault, SimDisk
from edge.sim.fault_board import FaultBoard
from edge.sim.faults import FAULTS, Answer
from edge.sim.gates import GateFault
from edge.sim.parts import SimPart

LASTS_S = 8.0
LONGEST_S = 90.0
TOUCHING_SHARE = 0.4


@dataclass
class Trial:
    """Faults by name, injected at `at_s` and repaired `lasts_s` later; `run` says what was wrong with the answer."""

    names: Sequence[str]
    at_s: float
    folder: Path
    seed: int = 1
    parts: int = 12
    lasts_s: float = LASTS_S
    runs_back: bool = False
    """On a belt that runs back with the many parts that touch."""

    def __post_init__(self) -> None:
        self.kinds = [FAULTS[name] for name in self.names]
        self.disk = SimDisk()
        self.file = self.folder / "journal.jsonl"
        stalls = "card-stalled" in self.names
        self.machine = TruthMachine(
            self.seed, self.parts, journal=self._journal(stalls), flushes=not stalls,
            touching_share=TOUCHING_SHARE if self.runs_back else 0.0, runs_back=self.runs_back,
        )  # fmt: skip
        self.machine.before_close = lambda: self.disk.break_down(DiskFault.NONE)
        board = self.machine.faults
        board.disk = self.disk
        self.broken: set[str] = set()
        # Before the repairs of that instant: a gate that was stuck when the machine stopped stays where it is.
        board.at(self.at_s + self.lasts_s, lambda board: self.broken.update(_broken_gates(board)))
        for kind in self.kinds:
            if kind.at_start:
                kind.inject(board)
            else:
                board.at(self.at_s, kind.inject)
            if kind.repair is not None:
                board.at(self.at_s + self.lasts_s, kind.repair)

    def _journal(self, stalls: bool) -> Callable[[Callable[[str], None]], Journal]:
        def make(warn: Callable[[str], None]) -> Journal:
            return Journal.open(self.file, 10.0, warn, threaded=stalls, disk=self.disk)

        return make

    def run(self) -> list[str]:
        """Runs it; what the machine did wrong, each in one line."""
        self.machine.run(LONGEST_S)
        return [*self._unsafe(), *self._lost(), *self._wrong_bins()]

    def judge(self) -> list[str]:
        """As `run`; and of a single fault with time to show, whether it was answered as the table says, and told."""
        return [*self.run(), *self._wrong_answer()]

    @property
    def stopped_wrongly(self) -> bool:
        """Whether it stopped though no fault of the table asks for it."""
        may = any(kind.answer is Answer.STOPS or kind.misleads or kind.name == "feeder-mute" for kind in self.kinds)
        return bool(self.machine.reason) and not may

    @property
    def told(self) -> list[str]:
        """Everything that the user read."""
        lines = [line for _, line in self.machine.lines]
        return [*lines, self.machine.reason] if self.machine.reason else lines

    @property
    def astray(self) -> list[SimPart]:
        """Parts in a wrong bin."""
        return self.machine.astray

    def _unsafe(self) -> list[str]:
        world, now_s = self.machine.world, self.machine.world.clock.now_s()
        wrong = []
        if world.feeder.parts_per_min and "feeder-mute" not in self.names:
            wrong.append(f"the feeder was left at {world.feeder.parts_per_min:g}")
        if world.belt.running:
            wrong.append("the belt was left running")
        broken = self.broken | _broken_gates(self.machine.faults)
        for name, gate in world.gates.items():
            if name not in broken and gate.held(now_s, now_s) != gate.rest:
                wrong.append(f"gate {name} was left at {gate.coordinate(now_s):.2f}")
        return wrong

    def _lost(self) -> list[str]:
        """Whatever was decided is in the journal, once, as it was decided last."""
        records = {record.part_id: record for record in read_journal(self.file)}
        wrong = []
        for track_id, part in self.machine.decided.items():
            record = records.get(-1 if part.part_id is None else part.part_id)
            if record is None:
                wrong.append(f"track {track_id} was decided and is not in the journal")
            elif part.plan is None or record.bin != part.plan.bin:
                wrong.append(f"track {track_id} was sent to {part.plan and part.plan.bin}, recorded in {record.bin}")
        if len(records) != len(self.machine.decided):
            wrong.append(f"{len(records)} records of {len(self.machine.decided)} decided parts")
        return wrong

    def _wrong_bins(self) -> list[str]:
        if not any(kind.misleads for kind in self.kinds):
            return [f"part {part.part_id} ended in {part.bin}: {part.why}" for part in self.astray]
        if self.astray and not self.told:
            return [f"{len(self.astray)} parts went astray and nobody was told"]
        return []

    def _wrong_answer(self) -> list[str]:
        (kind,) = self.kinds
        wrong = []
        stopped, answer = bool(self.machine.reason), kind.answer
        if stopped != (answer is Answer.STOPS) and not (kind.misleads or kind.name == "feeder-mute"):
            wrong.append(f"it {'stopped: ' + self.machine.reason if stopped else 'did not stop'}, it {answer}")
        told = sum(kind.reads in line for line in self.told) if kind.reads else 1
        if told == 0 or (told > 1 and not kind.misleads and kind.name != "feeder-mute"):
            wrong.append(f"'{kind.reads}' was told {told} times: {self.told}")
        return wrong


def _broken_gates(board: FaultBoard) -> set[str]:
    return {name for name, gate in board.world.gates.items() if gate.fault is not GateFault.NONE}
