"""The sensors of machine.yaml: beams that a part breaks, in a bin's chute or across the belt."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from edge.config.fields import Number, Pin, Section, Text, Whole

FALL_S = 0.2
"""From a gate to the beam in a bin's chute, where nothing is said: 20 cm of free fall."""


class SensorPlace(Section):
    """Where the beam is: in the chute of a bin, or across the belt at a station. Past the last gate it is at the
    belt's end, and sees what goes to the default bin."""

    bin: Text | None = None
    x_mm: Annotated[Number, Field(gt=0, le=100_000)] | None = None

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.bin is None) == (self.x_mm is None):
            raise ValueError("give one place: {bin: its name} for a chute, or {x_mm: station} for a beam over the belt")
        return self


class SensorBase(Section):
    """What every sensor has."""

    name: Text
    at: SensorPlace
    delay_s: Annotated[Number, Field(ge=0, le=10)] | None = None
    """From the middle of the part passing the gate (or the station) to the beam: the fall, the slide."""
    tolerance_s: Annotated[Number, Field(gt=0, le=10)] = 0.15
    """How much earlier or later it may be."""

    @property
    def fall_s(self) -> float:
        """`delay_s`, or what is usual at such a place."""
        if self.delay_s is not None:
            return self.delay_s
        return 0.0 if self.at.bin is None else FALL_S


class SimSensorConfig(SensorBase):
    """A beam of the simulated machine."""

    driver: Literal["sim"]


class GpioSensorConfig(SensorBase):
    """A beam-break receiver on a GPIO, pulled up."""

    driver: Literal["gpio"]
    pin: Pin
    active_high: bool = False
    """Whether the pin is high while the beam is broken; open-collector receivers pull it low."""
    debounce_s: Annotated[Number, Field(ge=0, le=1)] = 0.03
    """The beam must have been clear for so long before another part counts: tumbling parts break it twice."""


SensorConfig = Annotated[SimSensorConfig | GpioSensorConfig, Field(discriminator="driver")]


class ConfirmationConfig(Section):
    """When what the sensors say has consequences."""

    faults: Annotated[Whole, Field(ge=1, le=100)] = 3
    """So many failures …"""
    of_last: Annotated[Whole, Field(ge=1, le=1000)] = 10
    """… of the last so many take a gate out of service, or end the trust in a sensor."""
    stuck_after_s: Annotated[Number, Field(gt=0, le=3600)] = 3.0
    """A beam that stays broken for so long, while the belt runs, is blocked."""

    @model_validator(mode="after")
    def _faults_within(self) -> Self:
        if self.faults > self.of_last:
            raise ValueError(f"faults {self.faults} is above of_last {self.of_last}: it would never be reached")
        return self
