"""The whole machine: what the sensors saw is in the journal, and a gate that fails is not used any more."""

from __future__ import annotations

from pathlib import Path

from truth_machine import TruthMachine

from edge.journal.journal import Journal
from edge.journal.read import read_journal
from edge.records import Confirmed
from edge.sim.gates import GateFault


def recorded(tmp_path: Path, **options: int | bool) -> tuple[TruthMachine, Path]:
    file = tmp_path / "journal.jsonl"
    machine = TruthMachine(journal=lambda say: Journal.open(file, warn=say, threaded=False), **options)  # type: ignore[arg-type]
    return machine, file


def test_every_part_that_came_to_a_sensor_is_seen_in_the_journal(tmp_path: Path) -> None:
    machine, file = recorded(tmp_path)
    machine.run()
    assert machine.lines == []
    records = list(read_journal(file))
    assert {record.confirmation for record in records[:-2]} == {Confirmed.SEEN}
    assert machine.machine.confirmation.counts[Confirmed.SEEN] >= len(records) - 2
    words = machine.machine.confirmation.in_words()
    assert (
        words == f"sensors saw {len([r for r in records if r.confirmation == Confirmed.SEEN])} parts where they were"
        " planned, 0 nowhere, 0 in a wrong place"
    )


def test_a_gate_that_fails_is_told_and_its_bins_get_nothing_any_more(tmp_path: Path) -> None:
    machine, file = recorded(tmp_path, parts=60)
    machine.faults.break_gate(GateFault.DEAD, "g2")
    machine.run()
    assert [line for _, line in machine.lines if line.startswith("gate g2 is out of service")]
    assert len(machine.lines) == 2
    records = list(read_journal(file))
    wrong = [record for record in records if record.confirmation == Confirmed.WRONG_PLACE]
    assert {(record.bin, record.seen_in) for record in wrong} == {("greens", "the belt's end")}
    refused = [record for record in records if "out of service" in record.detail]
    assert refused
    assert {record.bin for record in refused} == {"box"}
    assert machine.astray == []
    assert "gate g2 is out of service" in (machine.machine.confirmation.in_words() or "")


def test_a_machine_without_sensors_watches_nobody(tmp_path: Path) -> None:
    machine, file = recorded(tmp_path, sensors=False)
    machine.run()
    assert {record.confirmation for record in read_journal(file)} == {Confirmed.NOT_WATCHED}
    assert machine.machine.confirmation.in_words() is None
