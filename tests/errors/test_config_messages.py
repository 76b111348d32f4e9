"""Every finding about a configuration, word for word: what users read is part of the interface."""

from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from edge.catalogue.parts import PartCatalogue
from edge.config.report import check

MACHINE = """\
camera:
  driver: sim
  px_per_mm: 5.0
  belt_region_px: [0, 60, 1280, 660]
belt:
  belt_mm_per_s: 150
  motor: {driver: sim}
feeder: {driver: sim, parts_per_min: 30}
gates:
  - {name: g1, driver: sim, x_mm: 400, positions: [left, pass, right]}
  - {name: g2, driver: sim, x_mm: 520, positions: [left, pass, right]}
"""
BINS = """\
default_bin: box
layout:
  gate: g1
  left: bricks
  right: plates
  pass:
    gate: g2
    left: red
    right: plates-2
    pass: box
bins:
  - name: red
    accept:
      - {parts: [3001, 3003], colour: Red}
  - name: bricks
    accept:
      - {category: Brick}
  - name: plates
    accept:
      - {category: Plate}
  - name: plates-2
    accept:
      - {category: Plate}
"""
SERVO = "driver: gpio-servo, pin: 4, x_mm: 400, pulse_us: {left: 1000, pass: 1500, right: 2000}"
SIM = "driver: sim, x_mm: 400, positions: [left, pass, right]"
PLATES_2 = "  - name: plates-2\n    accept:\n      - {category: Plate}\n"


@dataclass(frozen=True)
class Part:
    number: str
    name: str
    category: str
    moulds: tuple[str, ...] = ()
    length_mm: float = 16.0
    width_mm: float = 16.0
    height_mm: float = 9.6


PARTS = [
    Part("3001", "Brick 2 x 4", "Brick", length_mm=32),
    Part("3003", "Brick 2 x 2", "Brick"),
    Part("3022", "Plate 2 x 2", "Plate"),
    Part("3068", "Tile 2 x 2", "Tile", ("3068a", "3068b")),
]
CATALOGUE = PartCatalogue(PARTS)


def report(folder: Path, machine: str = MACHINE, bins: str = BINS) -> list[str]:
    (folder / "machine.yaml").write_text(machine, encoding="utf-8")
    (folder / "bins.yaml").write_text(bins, encoding="utf-8")
    found = check(folder / "machine.yaml", folder / "bins.yaml", CATALOGUE)
    return [str(finding).replace(f"{folder}/", "") for finding in found]


def changed(text: str, old: str, new: str) -> str:
    assert old in text
    return text.replace(old, new, 1)


def test_a_right_configuration_gives_no_finding(tmp_path: Path) -> None:
    assert report(tmp_path) == []


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        pytest.param(
            "feeder:",
            "feader:",
            ["machine.yaml:8: feader: 'feader' is no key; did you mean 'feeder'?"],
            id="unknown key",
        ),
        pytest.param(
            "feeder:",
            "safety: {watchdog_s: 0.1, gates_priority: 200}\nfeeder:",
            [
                "machine.yaml:8: safety.watchdog_s: 0.1 must be at least 0.5",
                "machine.yaml:8: safety.gates_priority: 200 must be at most 99",
            ],
            id="watchdog and priority out of bounds",
        ),
        pytest.param(
            "belt_mm_per_s: 150",
            "belt_mm_per_s: 150\n  encoder: {driver: trackr}",
            [
                "machine.yaml:7: belt.encoder.driver: 'trackr' is none of constant, tracker, sim, gpio; "
                "did you mean 'tracker'?"
            ],
            id="no such encoder",
        ),
        pytest.param(
            "parts_per_min: 30",
            "colour: 1",
            [
                "machine.yaml:8: feeder.colour: 'colour' is no key; known here: parts_per_min, closed_loop, "
                "min_parts_per_min, target_lost, x_mm, driver, arrivals, touching_share"
            ],
            id="unknown key, nothing near",
        ),
        pytest.param(
            "x_mm: 400",
            "xmm: 400",
            ["machine.yaml:10: gates[0].xmm: 'xmm' is no key; did you mean 'x_mm'?"],
            id="misspelt needed key is told once",
        ),
        pytest.param("  px_per_mm: 5.0\n", "", ["machine.yaml:1: camera.px_per_mm: is missing"], id="missing key"),
        pytest.param(
            "belt_mm_per_s: 150",
            "belt_mm_per_s: 150\n  belt_mm_per_s: 160",
            [
                "machine.yaml:7: belt.belt_mm_per_s: 'belt_mm_per_s' stands here a second time "
                "(first in line 6); keep one"
            ],
            id="duplicate key",
        ),
        pytest.param("  motor:", "\tmotor:", ["machine.yaml:7: is no YAML here: a tab; indent with spaces"], id="tab"),
        pytest.param(
            "660]",
            "660",
            [
                "machine.yaml:5: is no YAML here: expected ',' or ']', but got ':'; "
                "check indentation, colons, brackets and quotes"
            ],
            id="bracket",
        ),
        pytest.param(
            "driver: sim\n",
            "driver: !!python/name:os.system sim\n",
            ["machine.yaml:2: camera.driver: 'python/name:os.system' is a YAML tag; write a plain value"],
            id="tag",
        ),
        pytest.param(
            "driver: sim\n",
            "driver: picamera\n",
            ["machine.yaml:2: camera.driver: 'picamera' is none of sim, frames, picamera2; did you mean 'picamera2'?"],
            id="word",
        ),
        pytest.param(
            SIM,
            SIM.replace("sim", "pca9865"),
            [
                "machine.yaml:10: gates[0].driver: 'pca9865' is none of sim, pca9685, gpio-servo, "
                "gpio-solenoid; did you mean 'pca9685'?"
            ],
            id="driver",
        ),
        pytest.param(
            "driver: sim, x_mm: 400",
            "x_mm: 400",
            ["machine.yaml:10: gates[0].driver: is missing"],
            id="no driver",
        ),
        pytest.param(
            "belt_mm_per_s: 150",
            "belt_mm_per_s: -1",
            ["machine.yaml:6: belt.belt_mm_per_s: -1 must be above 0"],
            id="bound",
        ),
        pytest.param(
            SIM,
            SERVO.replace("pin: 4", "pin: 99"),
            ["machine.yaml:10: gates[0].pin: 99 must be at most 53"],
            id="pin",
        ),
        pytest.param(
            "belt_mm_per_s: 150",
            "belt_mm_per_s: fast",
            ["machine.yaml:6: belt.belt_mm_per_s: 'fast' is no number"],
            id="no number",
        ),
        pytest.param(
            "belt_mm_per_s: 150",
            "belt_mm_per_s: true",
            ["machine.yaml:6: belt.belt_mm_per_s: true is no number"],
            id="truth value as number",
        ),
        pytest.param(
            "belt_mm_per_s: 150",
            "belt_mm_per_s:",
            ["machine.yaml:6: belt.belt_mm_per_s: is empty; give a value or take the key out"],
            id="empty value",
        ),
        pytest.param(
            "660]",
            "960]",
            [
                "machine.yaml:4: camera.belt_region_px: [0, 60, 1280, 960] must be u0 < u1 ≤ 1280 and "
                "v0 < v1 ≤ 720, inside the picture"
            ],
            id="region outside the picture",
        ),
        pytest.param(
            "660]",
            "660, 1]",
            ["machine.yaml:4: camera.belt_region_px: takes at most 4 entries and has 5"],
            id="region too long",
        ),
        pytest.param(
            "  px_per_mm",
            "  views: [{name: top, region_px: [0, 0, 9, 9]}]\n  px_per_mm",
            ["machine.yaml:3: camera.views: give each view a name of its own ('top' is the belt's)"],
            id="view names",
        ),
        pytest.param(
            "feeder:",
            "fusion: {min_looks: 9, max_looks: 3}\nfeeder:",
            ["machine.yaml:8: fusion.min_looks: 9 is above max_looks 3"],
            id="looks",
        ),
        pytest.param(
            "feeder:",
            "fusion: {reject_unknown: 5}\nfeeder:",
            [
                "machine.yaml:8: fusion.reject_unknown: 5 is neither true nor false nor the share of known parts that"
                " it may cost (0.005 to 0.1)"
            ],
            id="share of known parts",
        ),
        pytest.param(
            "parts_per_min: 30",
            "parts_per_min: 30, min_parts_per_min: 40",
            ["machine.yaml:8: feeder.min_parts_per_min: 40 is above parts_per_min 30"],
            id="feed rates",
        ),
        pytest.param(
            "parts_per_min: 30",
            "parts_per_min: 30, target_lost: 1",
            ["machine.yaml:8: feeder.target_lost: 1 must be below 1"],
            id="share of lost parts",
        ),
        pytest.param(
            "name: g2",
            "name: g1",
            [
                "machine.yaml:11: gates[1].name: 'g1' is gates[0] already; give each gate its name",
                "bins.yaml:7: layout.pass.gate: 'g2' is no gate of machine.yaml; it has g1",
            ],
            id="gate name twice",
        ),
        pytest.param(
            "x_mm: 520",
            "x_mm: 380",
            [
                "machine.yaml:11: gates[1].x_mm: 380 must be above 400 of gate 'g1' before it; "
                "list the gates in the order in which the belt passes them",
                "bins.yaml:7: layout.pass.gate: 'g2' at 380 mm cannot come after 'g1' at 400 mm",
            ],
            id="gates out of order",
        ),
        pytest.param(
            "x_mm: 400",
            "x_mm: 260",
            [
                "machine.yaml:10: gates[0].x_mm: 260 less its margin of 6 is not clear of the camera's view "
                "(0 to 256 mm); gates come after it"
            ],
            id="gate in the view",
        ),
        pytest.param(
            "positions: [left, pass, right]",
            "positions: [left, right, right]",
            ["machine.yaml:10: gates[0].positions: name each position once"],
            id="position twice",
        ),
        pytest.param(
            SIM,
            f"{SIM}, rest: centre",
            ["machine.yaml:10: gates[0].rest: 'centre' is none of its positions (left, pass, right)"],
            id="rest",
        ),
        pytest.param(
            SIM,
            f"{SERVO}, positions: [left, pass]",
            ["machine.yaml:10: gates[0].pulse_us: must have exactly the positions left, pass"],
            id="pulses",
        ),
        pytest.param(
            SIM,
            SIM.replace("driver: sim", "driver: gpio-solenoid, pin: 4"),
            ["machine.yaml:10: gates[0].positions: a solenoid has two positions, such as [pass, push]"],
            id="solenoid",
        ),
        pytest.param(
            SIM,
            f"{SIM}, kind: puscher",
            ["machine.yaml:10: gates[0].kind: 'puscher' is none of gate, pusher, jet, chute; did you mean 'pusher'?"],
            id="kind of gate",
        ),
        pytest.param(
            SIM,
            f"{SIM}, kind: jet",
            ["machine.yaml:10: gates[0].positions: of a jet are two: its rest and the other"],
            id="jet with three positions",
        ),
        pytest.param(
            SIM,
            f"{SIM}, fall_s: 0.3",
            ["machine.yaml:10: gates[0].fall_s: is for a chute; this is a gate"],
            id="key of another kind",
        ),
        pytest.param(
            SIM,
            f"{SIM}, kind: chute, angle_deg: {{left: 0, pass: 60, right: 0}}",
            ["machine.yaml:10: gates[0].angle_deg: of a chute must name each position with an angle of its own"],
            id="two bins at one angle",
        ),
        pytest.param(
            SIM,
            f"{SIM}, kind: chute, angle_deg: {{left: 0, pass: 60, right: 120}}",
            [
                "bins.yaml:7: layout.pass.gate: no gate can follow chute 'g1' at the belt's end: its positions lead "
                "to bins"
            ],
            id="gate after a chute",
        ),
        pytest.param(
            SIM,
            "driver: sim, kind: pusher, x_mm: 280, face_mm: 40, positions: [left, pass]",
            [
                "machine.yaml:10: gates[0].x_mm: 280 less half its face of 40 and its margin of 6 is not clear of the "
                "camera's view (0 to 256 mm); gates come after it",
                "bins.yaml:5: layout.right: gate 'g1' has no position 'right'; it has left, pass",
            ],
            id="pusher in the view",
        ),
        pytest.param(
            SIM,
            "driver: sim, kind: pusher, x_mm: 400, travel_s: 0.3, face_mm: 20, positions: [left, pass]",
            [
                "machine.yaml:10: gates[0]: a part rides up to 59 mm while gate 'g1' strikes, past its face of 20 mm: "
                "a wider face_mm, a shorter travel_s or a slower belt is needed",
                "bins.yaml:5: layout.right: gate 'g1' has no position 'right'; it has left, pass",
            ],
            id="slow pusher",
        ),
        pytest.param(
            SIM,
            f"{SIM}, repeatability_s: -1",
            ["machine.yaml:10: gates[0].repeatability_s: -1 must be at least 0"],
            id="repeatability",
        ),
        pytest.param(
            SIM,
            SERVO,
            [
                "machine.yaml:10: warning: gates[0].driver: gate 'g1' is real ('gpio-servo') while the camera "
                "is simulated"
            ],
            id="real gate, simulated camera",
        ),
        pytest.param(
            "driver: sim\n",
            "driver: frames\n",
            [
                "machine.yaml:2: warning: camera.driver: 'frames' has no path to a folder or video: "
                "give one here, or name it to brickgate replay"
            ],
            id="frames without path",
        ),
    ],
)
def test_machine_yaml(tmp_path: Path, old: str, new: str, expected: list[str]) -> None:
    assert report(tmp_path, machine=changed(MACHINE, old, new)) == expected


def test_litres_need_a_model_that_knows_sizes(tmp_path: Path) -> None:
    (tmp_path / "machine.yaml").write_text(MACHINE, encoding="utf-8")
    bins = BINS.replace("  - name: plates\n", "  - name: plates\n    holds_l: 1.5\n")
    (tmp_path / "bins.yaml").write_text(bins, encoding="utf-8")
    flat = PartCatalogue([replace(part, height_mm=0.0) for part in PARTS])
    found = [str(finding) for finding in check(tmp_path / "machine.yaml", tmp_path / "bins.yaml", flat)]
    assert found == [
        f"{tmp_path}/bins.yaml:19: bins[2].holds_l: the model knows no part's size, so nobody can tell when the bin is "
        "full; use full_after"
    ]


def test_one_pin_for_two_devices(tmp_path: Path) -> None:
    machine = changed(changed(MACHINE, SIM, SERVO), "motor: {driver: sim}", "motor: {driver: gpio, pin: 4}")
    assert report(tmp_path, machine=machine)[1:] == [
        "machine.yaml:10: gates[0].pin: GPIO 4 is in use already, in line 7",
        "machine.yaml:10: warning: gates[0].driver: gate 'g1' is real ('gpio-servo') while the camera is simulated",
    ]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        pytest.param(
            "colour: Red",
            "colour: Redd",
            ["bins.yaml:14: bins[0].accept[0].colour: 'Redd' is no colour; did you mean 'Red'?"],
            id="colour",
        ),
        pytest.param(
            "colour: Red",
            "colour: [Red, Dark Grey]",
            [
                "bins.yaml:14: bins[0].accept[0].colour[1]: 'Dark Grey' is no longer made and not recognised; "
                "'Dark Bluish Gray' comes nearest"
            ],
            id="retired colour",
        ),
        pytest.param(
            "colour: Red",
            "colour: qqq",
            ["bins.yaml:14: bins[0].accept[0].colour: 'qqq' is no colour, such as Red or Light Bluish Gray"],
            id="colour, nothing near",
        ),
        pytest.param(
            "category: Brick",
            "category: Bricks",
            ["bins.yaml:17: bins[1].accept[0].category: 'Bricks' is no category; did you mean 'Brick'?"],
            id="category",
        ),
        pytest.param(
            "3003]",
            "3086]",
            ["bins.yaml:14: bins[0].accept[0].parts[1]: the model knows no part '3086'; did you mean '3068'?"],
            id="part",
        ),
        pytest.param(
            "{category: Brick}",
            "{categories: Brick}",
            ["bins.yaml:17: bins[1].accept[0].categories: 'categories' is no key; did you mean 'category'?"],
            id="rule key",
        ),
        pytest.param(
            "{category: Brick}",
            "{}",
            [
                "bins.yaml:17: bins[1].accept[0]: an empty rule would take every part: "
                "name parts, a category, a colour or a size"
            ],
            id="empty rule",
        ),
        pytest.param(
            "{category: Brick}",
            "{category: Brick, look_alikes: true}",
            [
                "bins.yaml:17: bins[1].accept[0].look_alikes: is about the parts of this rule: "
                "name parts or a list beside it"
            ],
            id="look-alikes of nothing",
        ),
        pytest.param(
            "{category: Brick}",
            "{parts: 3003, look_alikes: yes}",
            ["bins.yaml:17: bins[1].accept[0].look_alikes: 'yes' is neither true nor false"],
            id="look-alikes neither true nor false",
        ),
        pytest.param(
            "{category: Brick}",
            "{parts: 3003, look_alikes: true}",
            [
                "bins.yaml:17: warning: bins[1].accept[0].look_alikes: adds nothing: the model knows no other part "
                "that looks like these"
            ],
            id="look-alikes that are none",
        ),
        pytest.param(
            "{category: Brick}",
            "{parts: 3030, look_alikes: true}",
            ["bins.yaml:17: bins[1].accept[0].parts: the model knows no part '3030'; did you mean '3003'?"],
            id="look-alikes of an unknown part",
        ),
        pytest.param(
            "{category: Brick}",
            "{min_length_mm: 20, max_length_mm: 10}",
            ["bins.yaml:17: bins[1].accept[0].min_length_mm: 20 is above max_length_mm 10: no part fits"],
            id="size range",
        ),
        pytest.param(
            "{category: Brick}",
            "{transparent: maybe}",
            ["bins.yaml:17: bins[1].accept[0].transparent: 'maybe' is neither true nor false"],
            id="truth value",
        ),
        pytest.param(
            "{category: Brick}",
            "{list: wanted.txt}",
            [
                "bins.yaml:17: bins[1].accept[0].list: 'wanted.txt' cannot be read (No such file or directory): "
                "name a text file with a part number a line"
            ],
            id="no list",
        ),
        pytest.param(
            "{category: Brick}",
            "{category: Minifig}",
            ["bins.yaml:17: warning: bins[1].accept[0]: never matches: the model knows no part that fits all of it"],
            id="nothing fits",
        ),
        pytest.param(
            PLATES_2,
            PLATES_2.replace("category: Plate", "category: [plate, Plate]"),
            [],
            id="the same rule in another spelling is shared",
        ),
        pytest.param(
            PLATES_2,
            PLATES_2.replace("category: Plate", "parts: 3022, colour: Red"),
            [
                "bins.yaml:23: warning: bins[3].accept[0]: never matches: 'plates' takes all of it first; move "
                "this rule up"
            ],
            id="shadowed",
        ),
        pytest.param(
            "left: red",
            "left: box",
            [
                "bins.yaml:12: bins[0].name: 'red' cannot be reached: no position of a gate leads there; add it "
                "to the layout"
            ],
            id="unreachable bin",
        ),
        pytest.param(
            "left: red",
            "left: rad",
            [
                "bins.yaml:8: layout.pass.left: 'rad' is neither default_bin nor the name of a bin; did you "
                "mean 'red'?",
                "bins.yaml:12: bins[0].name: 'red' cannot be reached: no position of a gate leads there; add it "
                "to the layout",
            ],
            id="unknown bin",
        ),
        pytest.param(
            "name: plates-2",
            "name: plates",
            [
                "bins.yaml:9: layout.pass.right: 'plates-2' is neither default_bin nor the name of a bin; "
                "did you mean 'plates'?",
                "bins.yaml:21: bins[3].name: 'plates' is bins[2] already; give it another name",
            ],
            id="bin name twice",
        ),
        pytest.param(
            "name: plates-2",
            "name: [plates-2, bricks]",
            ["bins.yaml:21: bins[3].name[1]: 'bricks' is bins[1] already; give it another name"],
            id="bin name twice, in a list",
        ),
        pytest.param(
            "name: plates-2",
            "name: [plates-2, plates-3]",
            [
                "bins.yaml:21: bins[3].name[1]: 'plates-3' cannot be reached: no position of a gate leads there; "
                "add it to the layout"
            ],
            id="unreachable bin of several",
        ),
        pytest.param(
            "  - name: plates-2",
            "  - name: plates-2\n    holds_l: 0",
            ["bins.yaml:22: bins[3].holds_l: 0 must be above 0"],
            id="no room",
        ),
        pytest.param(
            PLATES_2,
            PLATES_2 + "  - name: box\n    full_after: 9\n    accept: [{category: Tile}]\n",
            [
                "bins.yaml:25: warning: bins[4].full_after: the default bin 'box' takes what no other can and is never "
                "full; take full_after out"
            ],
            id="default bin with an end",
        ),
        pytest.param(
            "gate: g2",
            "gate: conveyor",
            [
                "bins.yaml:2: warning: layout: gate 'g2' of machine.yaml is not in the layout",
                "bins.yaml:7: layout.pass.gate: 'conveyor' is no gate of machine.yaml; it has g1, g2",
            ],
            id="unknown gate",
        ),
        pytest.param(
            "gate: g2",
            "gate: g1",
            [
                "bins.yaml:2: warning: layout: gate 'g2' of machine.yaml is not in the layout",
                "bins.yaml:7: layout.pass.gate: gate 'g1' stands in line 3 already",
            ],
            id="gate twice",
        ),
        pytest.param(
            "  left: bricks",
            "  lefty: bricks",
            ["bins.yaml:4: layout.lefty: gate 'g1' has no position 'lefty'; did you mean 'left'?"],
            id="unknown position",
        ),
        pytest.param(
            "    pass: box",
            "    pass:",
            ["bins.yaml:10: layout.pass.pass: is empty; give a value or take the key out"],
            id="empty exit",
        ),
        pytest.param(
            "left: red\n    right: plates-2\n    pass: box",
            "left: red\n    right: plates-2",
            [
                "bins.yaml:1: default_bin: the layout leads nowhere to 'box'; doubts and refusals must end somewhere",
                "bins.yaml:6: layout.pass: gate 'g2' rests in 'pass': say where that leads",
            ],
            id="no default, rest leads nowhere",
        ),
        pytest.param(
            "left: red\n    right: plates-2\n    pass: box",
            "left: box\n    right: plates-2\n    pass: red",
            [
                "bins.yaml:10: layout.pass.pass: with every gate at rest a part ends in 'red'; that must be "
                "default_bin 'box'"
            ],
            id="rest leads to another bin",
        ),
        pytest.param(BINS[BINS.index("bins:") :], "", ["bins.yaml:1: bins: is missing"], id="no bins"),
        pytest.param(
            "accept:\n      - {category: Brick}",
            "accept: Brick",
            ["bins.yaml:16: bins[1].accept: 'Brick' is no list"],
            id="no list of rules",
        ),
        pytest.param(BINS, "", ["bins.yaml: is empty"], id="empty file"),
        pytest.param(BINS, "- a\n", ["bins.yaml:1: the list [a] is no mapping of keys to values"], id="a list as file"),
    ],
)
def test_bins_yaml(tmp_path: Path, old: str, new: str, expected: list[str]) -> None:
    assert report(tmp_path, bins=changed(BINS, old, new)) == expected


def test_layout_against_the_order_of_gates(tmp_path: Path) -> None:
    bins = BINS.replace("g1", "gx").replace("g2", "g1").replace("gx", "g2")
    assert report(tmp_path, bins=bins) == [
        "bins.yaml:7: layout.pass.gate: 'g1' at 400 mm cannot come after 'g2' at 520 mm"
    ]


def test_unknown_number_in_a_list_is_a_warning_at_its_line(tmp_path: Path) -> None:
    (tmp_path / "wanted.txt").write_text("# my wanted list\n3001\n3069 # tile\n", encoding="utf-8")
    assert report(tmp_path, bins=changed(BINS, "{category: Brick}", "{list: wanted.txt}")) == [
        "wanted.txt:3: warning: the model knows no part '3069'; did you mean '3068'?"
    ]


def test_empty_list(tmp_path: Path) -> None:
    (tmp_path / "wanted.txt").write_text("# nothing yet\n", encoding="utf-8")
    assert report(tmp_path, bins=changed(BINS, "{category: Brick}", "{list: wanted.txt}")) == [
        "bins.yaml:17: bins[1].accept[0].list: 'wanted.txt' holds no part number: write one a line"
    ]


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    found = check(tmp_path / "none.yaml", tmp_path / "binary.yaml")
    assert [str(finding).replace(f"{tmp_path}/", "") for finding in found] == [
        "none.yaml: cannot be read: No such file or directory",
        "binary.yaml: is no UTF-8 text: save it as UTF-8",
    ]
