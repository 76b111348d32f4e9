import os
from pathlib import Path

import pytest

from edge.config import example, examples
from edge.config.bins import BinsConfig, LayoutNode
from edge.config.calibrated import calibration_of
from edge.config.document import read_document
from edge.config.gates import GpioSolenoidGateConfig, Pca9685GateConfig
from edge.config.load import load_bins, load_machine
from edge.config.schema import ModelConfig
from edge.errors import ConfigError

WEST = example("west-18")


def edited(folder: Path, source: Path, old: str, new: str) -> Path:
    text = source.read_text(encoding="utf-8")
    assert old in text
    target = folder / source.name
    target.write_text(text.replace(old, new, 1), encoding="utf-8")
    return target


def test_west_has_nine_gates_eighteen_bins_and_a_box() -> None:
    machine, bins = load_machine(WEST / "machine.yaml"), load_bins(WEST / "bins.yaml")
    assert [gate.name for gate in machine.gates] == [f"g{number}" for number in range(1, 10)]
    assert len(bins.bins) == 18
    assert set(bins.ways()) == {*bins.names, "unsure"}
    assert bins.ways()["unsure"] == (tuple((f"g{number}", "pass") for number in range(1, 10)),)


def test_defaults_of_a_gate() -> None:
    gate = load_machine(WEST / "machine.yaml").gates[0]
    assert (gate.positions, gate.rest) == (("left", "pass", "right"), "pass")
    assert (gate.latency_s, gate.travel_s, gate.settle_s, gate.margin_mm) == (0.02, 0.15, 0.02, 6.0)


def test_seen_belt_follows_its_direction(tmp_path: Path) -> None:
    assert load_machine(WEST / "machine.yaml").camera.seen_mm == 256
    up = edited(tmp_path, WEST / "machine.yaml", "belt_direction: right", "belt_direction: up")
    assert load_machine(up).camera.seen_mm == 120


def test_servo_positions_come_from_its_pulses(tmp_path: Path) -> None:
    sim = "{name: g1, driver: sim, x_mm: 400, positions: [left, pass, right], rest: pass,"
    servo = "{name: g1, driver: pca9685, x_mm: 400, i2c_address: 0x41, channel: 3, pulse_us: {left: 900, pass: 1500},"
    gate = load_machine(edited(tmp_path, WEST / "machine.yaml", sim, servo)).gates[0]
    assert isinstance(gate, Pca9685GateConfig)
    assert (gate.i2c_address, gate.positions, gate.pulse_us["left"]) == (0x41, ("left", "pass"), 900)


def test_words_that_older_yaml_takes_for_truth_values_are_positions(tmp_path: Path) -> None:
    sim = "{name: g1, driver: sim, x_mm: 400, positions: [left, pass, right], rest: pass,"
    solenoid = "{name: g1, driver: gpio-solenoid, x_mm: 400, pin: 23, positions: [off, on], rest: off,"
    gate = load_machine(edited(tmp_path, WEST / "machine.yaml", sim, solenoid)).gates[0]
    assert isinstance(gate, GpioSolenoidGateConfig)
    assert gate.positions == ("off", "on")


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ("px_per_mm: 5.0", "px_per_mm: 0", "camera.px_per_mm"),
        ("frames_per_s: 12", "frames_per_s: 1000", "camera.frames_per_s"),
        ("threads: 1", "threads: 0", "accelerator.threads"),
        ("threads: 1", "threads: 1.5", "accelerator.threads"),
        ("sure_above: 0.80", "sure_above: 1.0", "fusion.sure_above"),
        ("min_looks: 3", "min_looks: 0", "fusion.min_looks"),
        ("parts_per_min: 60", "parts_per_min: 0", "feeder.parts_per_min"),
        ("max_mb: 200", "max_mb: -1", "journal.max_mb"),
        ("travel_s: 0.15", "travel_s: -0.1", "gates[0].travel_s"),
        ("belt_mm_per_s: 150", "belt_mm_per_s: .inf", "belt.belt_mm_per_s"),
    ],
)
def test_bounds(tmp_path: Path, old: str, new: str, key: str) -> None:
    with pytest.raises(ConfigError, match=f"^{tmp_path}/machine.yaml:[0-9]+: ") as raised:
        load_machine(edited(tmp_path, WEST / "machine.yaml", old, new))
    assert f": {key}: " in str(raised.value)
    assert "\n" not in str(raised.value)


def test_an_error_counts_the_others(tmp_path: Path) -> None:
    file = tmp_path / "machine.yaml"
    file.write_text("camera: {}\nbelt: {}\ngates: []\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"\(and [0-9]+ more: brickgate check-config\)$"):
        load_machine(file)


def test_loading_refuses_what_only_the_checks_see(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="must be above 400"):
        load_machine(edited(tmp_path, WEST / "machine.yaml", "x_mm: 520", "x_mm: 390"))
    with pytest.raises(ConfigError, match="'lawm' is neither"):
        load_bins(edited(tmp_path, WEST / "bins.yaml", "left: lawn", "left: lawm"))


def test_part_lists_are_relative_to_the_yaml(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "wanted.txt").write_text("\ufeff3001\n\n3003  # two by two\n", encoding="utf-8")
    file = edited(tmp_path, WEST / "bins.yaml", "{parts: [3660, 3665, 3747]}", "{list: wanted.txt}")
    monkeypatch.chdir(os.sep)
    rules = [rule for bin_ in load_bins(file).bins for rule in bin_.accept if rule.part_list]
    assert [(rule.part_list.numbers, rule.part_list.lines) for rule in rules if rule.part_list] == [
        (("3001", "3003"), (1, 3))
    ]


@pytest.mark.parametrize("name", ["|\n      roofs-red", '"roofs\\tred"'])
def test_a_name_stands_on_one_line(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match=f"^{tmp_path}/bins.yaml:[0-9]+: .*write it on one line") as raised:
        load_bins(edited(tmp_path, WEST / "bins.yaml", "- name: roofs-red", f"- name: {name}"))
    assert "\n" not in str(raised.value)


def test_numbers_are_words_where_words_are_meant(tmp_path: Path) -> None:
    file = tmp_path / "bins.yaml"
    file.write_text(
        "default_bin: 0\nlayout: {gate: 1, 1: 7, pass: 0}\nbins: [{name: 7, accept: [{parts: 3001, colour: 4}]}]\n",
        encoding="utf-8",
    )
    bins = load_bins(file)
    assert bins.ways() == {"7": ((("1", "1"),),), "0": ((("1", "pass"),),)}
    assert bins.bins[0].accept[0].parts == ("3001",)
    assert bins.bins[0].accept[0].colour == ("4",)


def test_a_layout_may_be_built_in_code() -> None:
    inner = LayoutNode(gate="g2", exits={"left": "a", "pass": "box"})
    outer = LayoutNode(gate="g1", exits={"left": "a", "pass": inner})
    bins = BinsConfig.model_validate(
        {"default_bin": "box", "layout": outer, "bins": [{"name": "a", "accept": [{"category": "Brick"}]}]}
    )
    assert bins.ways()["a"] == ((("g1", "left"),), (("g1", "pass"), ("g2", "left")))


def test_aliases_work_and_cannot_explode(tmp_path: Path) -> None:
    file = tmp_path / "bins.yaml"
    file.write_text("a: &a [1, 2]\nb: *a\n", encoding="utf-8")
    assert read_document(file).value == {"a": (1, 2), "b": (1, 2)}
    rows = ["a0: &a0 [x, x]", *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 9))]
    file.write_text("\n".join(rows), encoding="utf-8")
    assert "use fewer aliases" in str(read_document(file).findings[0])
    file.write_text("a: &a [*a]", encoding="utf-8")
    assert len(read_document(file).findings) == 1
    file.write_text("[" * 400, encoding="utf-8")
    assert len(read_document(file).findings) == 1


def test_unknown_example_names_the_nearest() -> None:
    assert {"west-18", "beginner-4"} <= set(examples())
    with pytest.raises(ConfigError, match="did you mean 'west-18'"):
        example("west18")


def test_recordings_and_bundles_are_relative_to_the_yaml(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    machine = (example("openblok-belt") / "machine.yaml").read_text(encoding="utf-8")
    machine = machine.replace("driver: frames", "driver: frames\n  path: recordings/monday")
    (tmp_path / "own").mkdir()
    (tmp_path / "machine.yaml").write_text(machine.replace("bundle: universal", "bundle: own"), encoding="utf-8")
    monkeypatch.chdir("/")
    config = load_machine(tmp_path / "machine.yaml")
    assert config.camera.path == str(tmp_path / "recordings" / "monday")
    assert config.model.bundle == str(tmp_path / "own")
    assert load_machine(example("west-18") / "machine.yaml").model.bundle == "universal"


def test_a_machine_that_names_no_model_takes_the_universal_one() -> None:
    assert ModelConfig().bundle == "universal"


def test_a_file_of_weights_is_relative_to_the_yaml(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    machine = (example("west-18") / "machine.yaml").read_text(encoding="utf-8")
    (tmp_path / "ours.csv").write_text("part,weight\nTechnic,20\n", encoding="utf-8")
    (tmp_path / "machine.yaml").write_text(
        machine.replace("min_looks: 3", "min_looks: 3\n  prior: ours.csv"), encoding="utf-8"
    )
    monkeypatch.chdir("/")
    prior = load_machine(tmp_path / "machine.yaml").fusion.prior
    assert prior is not None
    assert (prior.name, prior.weights) == ("ours.csv", {"Technic": 20})
    assert load_machine(example("west-18") / "machine.yaml").fusion.prior is None


def test_a_bad_file_of_weights_keeps_the_machine_from_starting(tmp_path: Path) -> None:
    machine = (example("west-18") / "machine.yaml").read_text(encoding="utf-8")
    (tmp_path / "ours.csv").write_text("part,weight\nTechnic,often\n", encoding="utf-8")
    file = tmp_path / "machine.yaml"
    file.write_text(machine.replace("fusion:", "fusion:\n  prior: ours.csv"), encoding="utf-8")
    with pytest.raises(ConfigError) as found:
        load_machine(file)
    assert str(found.value).endswith(
        ": fusion.prior: 'ours.csv', line 2: 'Technic,often' is no part and weight: write such as 3001,30"
    )


def test_what_is_beside_the_file_is_beside_what_a_link_leads_to(tmp_path: Path) -> None:
    card, etc = tmp_path / "boot", tmp_path / "etc"
    card.mkdir(), etc.mkdir()
    (card / "wanted.txt").write_text("3001\n3003\n")
    (card / "weights.csv").write_text("part,weight\n3001,5\n")
    edited(card, WEST / "bins.yaml", "accept:\n", "accept:\n      - {list: wanted.txt}\n")
    edited(card, WEST / "machine.yaml", "fusion:\n", "fusion:\n  prior: weights.csv\n")
    for name in ("bins.yaml", "machine.yaml"):
        (etc / name).symlink_to(card / name)
    part_list = load_bins(etc / "bins.yaml").bins[0].accept[0].part_list
    assert part_list is not None
    assert part_list.numbers == ("3001", "3003")
    prior = load_machine(etc / "machine.yaml").fusion.prior
    assert prior is not None
    assert prior.file == card / "weights.csv"


def test_the_calibration_of_a_linked_machine_is_beside_the_link(tmp_path: Path) -> None:
    (tmp_path / "machine.yaml").symlink_to(WEST / "machine.yaml")
    assert calibration_of(tmp_path / "machine.yaml") == tmp_path / "calibration.yaml"
