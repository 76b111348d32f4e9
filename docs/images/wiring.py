"""Draws docs/images/wiring.svg, the wiring of edge/system/etc/machine.yaml: `python docs/images/wiring.py`."""

from __future__ import annotations

from pathlib import Path

INK, PAPER, PI, BOARD, POWER = "#22303c", "#ffffff", "#dcefe1", "#dbe9f6", "#fbe6c8"
SIGNAL, VOLTS, GROUND, I2C, USB = "#2e5fa3", "#c0392b", "#3a3a3a", "#7d3c98", "#2e7d4f"
WIDTH, HEIGHT = 1180, 800


def text(
    x: float, y: float, words: str, size: int = 13, anchor: str = "start", fill: str = INK, bold: bool = False
) -> str:
    weight = ' font-weight="bold"' if bold else ""
    return f'<text x="{x}" y="{y}" font-size="{size}" text-anchor="{anchor}" fill="{fill}"{weight}>{words}</text>'


def box(x: float, y: float, width: float, height: float, fill: str, title: str, *lines: str) -> str:
    parts = [
        f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="8" fill="{fill}" stroke="{INK}"/>',
        text(x + 12, y + 22, title, 15, bold=True),
    ]
    parts += [text(x + 12, y + 42 + 17 * place, line, 12) for place, line in enumerate(lines)]
    return "".join(parts)


def wire(colour: str, *corners: tuple[float, float], words: str = "", at: tuple[float, float] = (0, 0)) -> str:
    points = " ".join(f"{x},{y}" for x, y in corners)
    line = f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2.5"/>'
    ends = "".join(f'<circle cx="{x}" cy="{y}" r="3.5" fill="{colour}"/>' for x, y in (corners[0], corners[-1]))
    return line + ends + (text(*at, words, 12, fill=colour) if words else "")


def draw() -> str:
    pi = box(
        440, 250, 250, 330, PI, "Raspberry Pi 4 or 5",
        "", "CSI ribbon socket", "", "USB 3 (blue) or PCIe ribbon", "", "pin 3  GPIO 2  SDA", "pin 5  GPIO 3  SCL",
        "pin 1  3.3 V", "pin 6  ground", "", "pin 11  GPIO 17", "pin 13  GPIO 27", "pin 18  GPIO 24", "pin 22  GPIO 25",
        "", "USB-C  5 V",
    )  # fmt: skip
    boxes = [
        pi,
        box(40, 60, 260, 96, BOARD, "Camera", "Camera Module 3, over the belt", "ribbon away from the motors' wires",
            "light: a ring, always on"),
        box(40, 210, 260, 96, BOARD, "Accelerator, one or none", "Coral USB: USB 3 socket, 0.9 A",
            "Hailo-8/8L (AI HAT+): PCIe, Pi 5 only", "none: the CPU does it, more slowly"),
        box(820, 60, 320, 150, BOARD, "PCA9685 servo board, 0x40", "VCC 3.3 V, SDA, SCL, ground: from the Pi",
            "V+ 6 V: from the servos' supply, never the Pi", "channel 0: gate “first”", "channel 1: gate “second”",
            "1000 µF across V+ and ground"),
        box(820, 260, 320, 130, BOARD, "Motor driver (two channels)", "enable A: GPIO 17, belt, 12 V, 0.5 A",
            "enable B: GPIO 27, feeder, 12 V, 0.5 A", "10 kΩ from each enable to ground:",
            "off while the Pi starts", "ground joined to the Pi's, pin 9"),
        box(820, 440, 320, 130, BOARD, "Beam-breaks, if any", "open collector; 3.3 V pin 17, ground pin 14",
            "GPIO 24: chute of “plates”",
            "GPIO 25: end of the belt", "a 5 V output needs a divider:", "no pin of a Pi bears 5 V"),
        box(40, 640, 330, 120, POWER, "Supply 1: 5 V, 5 A (Pi 5: USB-C PD)", "Pi 3 A, Coral 0.9 A, camera 0.3 A",
            "never shared with motors or servos"),
        box(420, 640, 330, 120, POWER, "Supply 2: 6 V, 4 A", "two servos, 1.5 A each when stalled",
            "ground joined to the Pi's at the PCA9685 alone"),
        box(800, 640, 340, 120, POWER, "Supply 3: 12 V, 3 A", "belt and feeder motors, light",
            "emergency stop (two poles): in the wires of",
            "supplies 2 and 3, so that nothing can move"),
    ]  # fmt: skip
    wires = [
        wire(USB, (300, 110), (370, 110), (370, 308), (440, 308), words="CSI ribbon", at=(306, 102)),
        wire(USB, (300, 258), (350, 258), (350, 342), (440, 342), words="USB, PCIe", at=(304, 250)),
        wire(I2C, (690, 376), (730, 376), (730, 96), (820, 96), words="SDA", at=(740, 90)),
        wire(I2C, (690, 393), (745, 393), (745, 116), (820, 116), words="SCL", at=(752, 132)),
        wire(VOLTS, (690, 410), (760, 410), (760, 150), (820, 150), words="3.3 V", at=(768, 166)),
        wire(GROUND, (690, 427), (775, 427), (775, 190), (820, 190), words="ground", at=(776, 206)),
        wire(SIGNAL, (690, 461), (790, 461), (790, 300), (820, 300), words="belt", at=(792, 294)),
        wire(SIGNAL, (690, 478), (804, 478), (804, 330), (820, 330), words="feeder", at=(706, 472)),
        wire(SIGNAL, (690, 495), (820, 495), words="beam", at=(740, 491)),
        wire(SIGNAL, (690, 512), (820, 512), words="beam", at=(740, 527)),
        wire(VOLTS, (370, 700), (400, 700), (400, 546), (440, 546), words="5 V", at=(406, 540)),
        wire(VOLTS, (750, 690), (770, 690), (770, 600), (1160, 600), (1160, 110), (1140, 110),
             words="6 V, V+ of the servo board", at=(930, 594)),
        wire(VOLTS, (1140, 680), (1170, 680), (1170, 330), (1140, 330), words="12 V", at=(1144, 672)),
    ]  # fmt: skip
    title = text(40, 34, "Wiring of the machine in /etc/brickgate/machine.yaml", 19, bold=True)
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif">'
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="{PAPER}"/>'
    )
    return head + title + "".join(boxes) + "".join(wires) + "</svg>\n"


if __name__ == "__main__":
    Path(__file__).with_suffix(".svg").write_text(draw(), encoding="utf-8")
