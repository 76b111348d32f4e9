"""The gates of machine.yaml: one section a driver, all alike to the planner."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from edge.config.fields import Number, Pin, Section, Text, Whole

PulseUs = Annotated[Whole, Field(ge=300, le=2900)]


class GateBase(Section):
    """What every gate has. `x_mm` is its station, on the same axis as the camera's `station_mm`."""

    name: Text
    x_mm: Annotated[Number, Field(gt=0, le=100_000)]
    positions: Annotated[tuple[Text, ...], Field(min_length=2)]
    rest: Text = "pass"
    """The position without power, at start and at stop."""
    latency_s: Annotated[Number, Field(ge=0, le=2)] = 0.02
    """From the command to the first movement."""
    travel_s: Annotated[Number, Field(ge=0, le=5)] = 0.15
    """From the first movement to the new position."""
    settle_s: Annotated[Number, Field(ge=0, le=5)] = 0.02
    """From the new position until a part may touch the gate."""
    margin_mm: Annotated[Number, Field(ge=0, le=500)] = 6.0
    """Free belt kept before and after a part."""

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


class ServoBase(GateBase):
    """A hobby servo: a pulse width for each position, which also names the positions."""

    pulse_us: Annotated[dict[str, PulseUs], Field(min_length=2)]

    @model_validator(mode="before")
    @classmethod
    def _positions_from_pulses(cls, section: Any) -> Any:
        if isinstance(section, dict) and "positions" not in section and isinstance(section.get("pulse_us"), dict):
            return {**section, "positions": tuple(section["pulse_us"])}
        return section

    @model_validator(mode="after")
    def _a_pulse_each(self) -> Self:
        if set(self.pulse_us) != set(self.positions):
            raise ValueError(f"pulse_us must have exactly the positions {', '.join(self.positions)}")
        return self


class SimGateConfig(GateBase):
    """A gate of the simulated machine."""

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
