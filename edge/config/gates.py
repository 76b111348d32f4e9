"""The gates of machine.yaml: whatever takes parts off the belt. One section a driver, all alike to the planner.

`kind` says what stands there, `driver` what moves it. `docs/timing.md` explains what the times and lengths are for.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from edge.config.fields import Number, Pin, Section, Text, Whole

PULSE_US = (300, 2900)
"""The least and the widest pulse that a servo is ever sent: most stand against their stop by then."""
PulseUs = Annotated[Whole, Field(ge=PULSE_US[0], le=PULSE_US[1])]
Kind = Literal["gate", "pusher", "jet", "chute"]
Degrees = Annotated[Number, Field(ge=-3600, le=3600)]

STARTS_EARLY = 0.10
"""Share of its moving time by which the dispatcher may start a movement early; no less than `LEAST_EARLY_S`."""
LEAST_EARLY_S = 0.01
FASTER = 1.10
"""The belt is reckoned with up to this, against its nominal speed."""
_BY_KIND: dict[str, dict[str, Any]] = {
    "pusher": {"positions": ("pass", "push"), "travel_s": 0.06, "settle_s": 0.0, "face_mm": 24.0, "max_on_s": 2.0},
    "jet": {
        "positions": ("pass", "blow"), "latency_s": 0.01, "travel_s": 0.005, "settle_s": 0.0, "repeatability_s": 0.003,
        "margin_mm": 3.0, "face_mm": 6.0, "max_on_s": 2.0,
    },
    "chute": {"travel_s": 0.6, "fall_s": 0.3},
}  # fmt: skip
"""What holds for a kind where the YAML says nothing."""
_ONLY_FOR: dict[str, tuple[str, ...]] = {
    "face_mm": ("pusher", "jet"),
    "max_on_s": ("pusher", "jet"),
    "angle_deg": ("chute",),
    "fall_s": ("chute",),
}


def check_pulse(gate: str, pulse_us: float) -> None:
    """Raises ValueError for a width that no servo is sent."""
    least, widest = PULSE_US
    if not least <= pulse_us <= widest:
        raise ValueError(f"gate {gate} takes pulses of {least} to {widest} µs, not {pulse_us:g}")


class GateBase(Section):
    """What every gate has. `x_mm` is its station, on the same axis as the camera's `station_mm`."""

    name: Text
    kind: Kind = "gate"
    """A diverter that stands in the part's way or lets it pass; a pusher that strikes its middle and comes back; a jet
    of air that blows for as long as the part passes; a chute at the belt's end that turns over its bins."""
    x_mm: Annotated[Number, Field(gt=0, le=100_000)]
    positions: Annotated[tuple[Text, ...], Field(min_length=2)]
    rest: Text = "pass"
    """The position without power, at start and at stop."""
    latency_s: Annotated[Number, Field(ge=0, le=2)] = 0.02
    """From the command to the first movement."""
    travel_s: Annotated[Number, Field(ge=0, le=5)] = 0.15
    """From the first movement to the new position; of a chute, from one end of its angles to the other."""
    settle_s: Annotated[Number, Field(ge=0, le=5)] = 0.02
    """From the new position until a part may touch the gate."""
    repeatability_s: Annotated[Number, Field(ge=0, le=2)] = 0.012
    """By how much later than that a movement may end: the worst of a hundred. A hobby servo's is about 12 ms."""
    margin_mm: Annotated[Number, Field(ge=0, le=500)] = 6.0
    """Free belt kept before and after a part."""
    face_mm: Annotated[Number, Field(gt=0, le=500)] | None = None
    """Of a pusher or jet: the length of belt that its face or mouth covers, `x_mm` in its middle."""
    max_on_s: Annotated[Number, Field(gt=0, le=60)] | None = None
    """Of a pusher or jet: off after so long, though the belt may have stopped with a part in front of it."""
    angle_deg: Annotated[dict[str, Degrees], Field(min_length=2)] | None = None
    """Of a chute: where each position is; they name the positions."""
    fall_s: Annotated[Number, Field(ge=0, le=10)] | None = None
    """Of a chute: from the belt's end until the part has left the chute."""

    @property
    def reach_mm(self) -> float:
        """Belt that it covers on either side of `x_mm`."""
        return (self.face_mm or 0.0) / 2

    def stroke_mm(self, belt_mm_per_s: float) -> float:
        """Belt that passes between the earliest start of a pusher's stroke and its latest end."""
        move_s = self.latency_s + self.travel_s + self.settle_s + self.repeatability_s
        early_s = max(STARTS_EARLY * move_s, LEAST_EARLY_S)
        return (early_s + move_s - self.latency_s + self.repeatability_s) * belt_mm_per_s

    def fall_mm(self, belt_mm_per_s: float) -> float:
        """Belt that passes at most while a part falls through the chute."""
        return (self.fall_s or 0.0) * FASTER * belt_mm_per_s

    @model_validator(mode="before")
    @classmethod
    def _what_the_kind_has(cls, section: Any) -> Any:
        if not isinstance(section, dict):
            return section
        known = dict(_BY_KIND.get(str(section.get("kind")), {}))
        if isinstance(section.get("angle_deg"), dict):
            known["positions"] = tuple(section["angle_deg"])
        return {**known, **section}

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Self:
        for key, kinds in _ONLY_FOR.items():
            if self.kind not in kinds and getattr(self, key) is not None:
                raise ValueError(f"{key} is for a {' or '.join(kinds)}; this is a {self.kind}")
        if self.kind in ("pusher", "jet") and len(self.positions) != 2:
            raise ValueError(f"positions of a {self.kind} are two: its rest and the other")
        if self.kind == "chute":
            angles = self.angle_deg or {}
            if set(angles) != set(self.positions) or len(set(angles.values())) < len(angles):
                raise ValueError("angle_deg of a chute must name each position with an angle of its own")
        return self

    @field_validator("positions")
    @classmethod
    def _distinct(cls, positions: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(positions)) < len(positions):
            raise ValueError("name each position once")
        return positions

    @model_validator(mode="after")
    def _rest_is_a_position(self) -> Self:
        if self.rest not in self.positions:
            raise ValueError(f"rest '{self.rest}' is none of its positions ({', '.join(self.positions)})")
        return self


class MaybeServoBase(GateBase):
    """What may be a hobby servo: then it has a pulse width for each position, which also names the positions."""

    pulse_us: Annotated[dict[str, PulseUs], Field(min_length=2)] | None = None

    @model_validator(mode="before")
    @classmethod
    def _positions_from_pulses(cls, section: Any) -> Any:
        if isinstance(section, dict) and "positions" not in section and isinstance(section.get("pulse_us"), dict):
            return {**section, "positions": tuple(section["pulse_us"])}
        return section

    @model_validator(mode="after")
    def _a_pulse_each(self) -> Self:
        if self.pulse_us is not None and set(self.pulse_us) != set(self.positions):
            raise ValueError(f"pulse_us must have exactly the positions {', '.join(self.positions)}")
        return self


class ServoBase(MaybeServoBase):
    """A hobby servo."""

    pulse_us: Annotated[dict[str, PulseUs], Field(min_length=2)]  # pyright: ignore[reportIncompatibleVariableOverride, reportGeneralTypeIssues]


class SimGateConfig(MaybeServoBase):
    """A gate of the simulated machine; one with `pulse_us` is a servo whose positions can be nudged."""

    driver: Literal["sim"]


class Pca9685GateConfig(ServoBase):
    """A servo on a PCA9685 board."""

    driver: Literal["pca9685"]
    i2c_address: Annotated[Whole, Field(ge=0x40, le=0x7F)] = 0x40
    channel: Annotated[Whole, Field(ge=0, le=15)]


class GpioServoGateConfig(ServoBase):
    """A servo on a GPIO; jitters under load, so a PCA9685 is the better choice."""

    driver: Literal["gpio-servo"]
    pin: Pin


class GpioSolenoidGateConfig(GateBase):
    """A solenoid, relay or air valve on a GPIO: powered in the position that is not `rest`."""

    driver: Literal["gpio-solenoid"]
    pin: Pin
    active_high: bool = True

    @field_validator("positions")
    @classmethod
    def _two(cls, positions: tuple[str, ...]) -> tuple[str, ...]:
        if len(positions) != 2:
            raise ValueError("a solenoid has two positions, such as [pass, push]")
        return positions


GateConfig = Annotated[
    SimGateConfig | Pca9685GateConfig | GpioServoGateConfig | GpioSolenoidGateConfig,
    Field(discriminator="driver"),
]
