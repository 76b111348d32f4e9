"""What may stand in machine.yaml: units in the names, bounds beside the fields.

`examples/west-18/machine.yaml` shows all of it with comments. `bins.py` is the schema of the bins.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator, model_validator

from edge.bundle.unknown import LEAST_SHARE, MOST_SHARE
from edge.catalogue.prior import Prior, read_prior
from edge.config.fields import Number, Pin, Region, Section, Text, Whole, folder_of
from edge.config.gates import GateConfig
from edge.config.sensors import ConfirmationConfig, SensorConfig
from edge.errors import InputError
from edge.records import TOP_VIEW

Side = Annotated[Whole, Field(ge=64, le=8192)]
Gain = Annotated[Number, Field(gt=0, le=32)]
MOST_PARTS_PER_MIN = 1000.0
Rate = Annotated[Number, Field(gt=0, le=MOST_PARTS_PER_MIN)]


class ViewConfig(Section):
    """Another region of the picture that shows the same part from another side, such as a mirror.

    `shift_mm` is how much further along the belt a part looks in it than in the top view.
    """

    name: Text
    region_px: Region
    shift_mm: Annotated[Number, Field(ge=-1000, le=1000)] = 0.0
    px_per_mm: Annotated[Number, Field(gt=0.1, le=100)] | None = None
    """Its own scale, where it differs from the camera's: what a mirror shows is further away."""


class CameraConfig(Section):
    """The camera and how it sees the belt. `px_per_mm` holds at the belt's surface."""

    driver: Literal["sim", "frames", "picamera2"]
    path: Text | None = None
    """For `frames`: a folder of pictures or a video."""
    width_px: Side = 1280
    height_px: Side = 720
    frames_per_s: Annotated[Number, Field(gt=0, le=240)] = 12.0
    px_per_mm: Annotated[Number, Field(gt=0.1, le=100)]
    belt_direction: Literal["right", "left", "up", "down"] = "right"
    belt_region_px: Region
    station_mm: Annotated[Number, Field(ge=0, le=100_000)] = 0.0
    """Station of the upstream edge of the seen belt."""
    exposure_s: Annotated[Number, Field(gt=0, le=1)] | None = None
    gain: Gain | None = None
    white_balance: tuple[Gain, Gain] | None = None
    """Red and blue gains; with exposure and gain they lock a real camera."""
    focus_dioptres: Annotated[Number, Field(ge=0, le=50)] | None = None
    """Of a lens with a motor: 1 ÷ the distance in m at which it is sharp."""
    views: tuple[ViewConfig, ...] = ()

    @property
    def seen_mm(self) -> float:
        """Length of the seen belt along its way."""
        u0, v0, u1, v1 = self.belt_region_px
        along_px = u1 - u0 if self.belt_direction in {"left", "right"} else v1 - v0
        return along_px / self.px_per_mm

    @field_validator("path")
    @classmethod
    def _beside_the_yaml(cls, path: str | None, info: ValidationInfo) -> str | None:
        return None if path is None else str(folder_of(info) / path)

    @model_validator(mode="after")
    def _regions_in_picture(self) -> Self:
        for name, (u0, v0, u1, v1) in [
            ("belt_region_px", self.belt_region_px),
            *((f"view '{view.name}'", view.region_px) for view in self.views),
        ]:
            if not (0 <= u0 < u1 <= self.width_px and 0 <= v0 < v1 <= self.height_px):
                raise ValueError(
                    f"{name} [{u0}, {v0}, {u1}, {v1}] must be u0 < u1 ≤ {self.width_px} and "
                    f"v0 < v1 ≤ {self.height_px}, inside the picture"
                )
        return self

    @field_validator("views")
    @classmethod
    def _names_differ(cls, views: tuple[ViewConfig, ...]) -> tuple[ViewConfig, ...]:
        names = [TOP_VIEW, *(view.name for view in views)]
        if len(set(names)) < len(names):
            raise ValueError(f"give each view a name of its own ('{TOP_VIEW}' is the belt's)")
        return views


class NoneMotorConfig(Section):
    """The belt runs on its own switch."""

    driver: Literal["none"]


class SimMotorConfig(Section):
    """The simulated belt."""

    driver: Literal["sim"]


class GpioMotorConfig(Section):
    """The enable pin of a motor driver or a relay."""

    driver: Literal["gpio"]
    pin: Pin
    active_high: bool = True
    reverse_pin: Pin | None = None
    """Of a motor driver, or a second relay: on in place of `pin` it runs the belt backwards."""


class ReversalConfig(Section):
    """A belt that runs back when parts touch, so that the feeder lays them anew."""

    start_mm: Annotated[Number, Field(ge=-10_000, le=100_000)]
    """Station of the belt's upstream end, over which parts fall back into the feeder; below 0 before the seen belt."""
    end_mm: Annotated[Number, Field(gt=0, le=100_000)]
    """Station of its downstream end, over which parts fall into the default bin."""
    pair_rounds: Annotated[Whole, Field(ge=2, le=100)] = 5
    """Of so many touching pairs one rides on to the default bin: what always looks like two must not come for ever."""


class ConstantEncoderConfig(Section):
    """No encoder: travel is time × `belt_mm_per_s`."""

    driver: Literal["constant"]


class TrackerEncoderConfig(Section):
    """No encoder: the camera measures the belt on the parts that ride past it."""

    driver: Literal["tracker"]


class SimEncoderConfig(Section):
    """The simulated belt's travel."""

    driver: Literal["sim"]
    mm_per_tick: Annotated[Number, Field(gt=0, le=100)] = 0.25


class GpioEncoderConfig(Section):
    """A quadrature encoder, or one light barrier when `pin_b` is left out. Both edges count."""

    driver: Literal["gpio"]
    pin_a: Pin
    pin_b: Pin | None = None
    mm_per_tick: Annotated[Number, Field(gt=0, le=100)]
    """Belt travel from one edge to the next."""


MotorConfig = Annotated[NoneMotorConfig | SimMotorConfig | GpioMotorConfig, Field(discriminator="driver")]
EncoderConfig = Annotated[
    ConstantEncoderConfig | TrackerEncoderConfig | SimEncoderConfig | GpioEncoderConfig, Field(discriminator="driver")
]


class BeltConfig(Section):
    """The belt; its speed is the nominal one, and the truth where nothing measures it."""

    belt_mm_per_s: Annotated[Number, Field(gt=0, le=2000)]
    motor: MotorConfig = NoneMotorConfig(driver="none")
    encoder: EncoderConfig = ConstantEncoderConfig(driver="constant")
    reversal: ReversalConfig | None = None


class AcceleratorConfig(Section):
    """What runs the network; `auto` takes a Coral for a model that is compiled for it, else the CPU."""

    driver: Literal["cpu", "edgetpu", "hailo", "auto"] = "cpu"
    runtime: Literal["litert", "tflite-runtime"] = "litert"
    threads: Annotated[Whole, Field(ge=1, le=16)] = 1


class ModelConfig(Section):
    """The network: a shipped bundle's name, or a folder, beside the YAML or by its path."""

    bundle: Text = "universal"

    @field_validator("bundle")
    @classmethod
    def _beside_the_yaml(cls, bundle: str, info: ValidationInfo) -> str:
        beside = folder_of(info) / bundle
        return str(beside) if beside.is_dir() else bundle


def _read_prior(value: Any, info: ValidationInfo) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return read_prior(value, folder_of(info))
    except InputError as error:
        raise ValueError(str(error)) from error


def _read_share(value: Any) -> bool | float:
    if isinstance(value, bool):
        return value
    if not isinstance(value, int | float) or not LEAST_SHARE <= value <= MOST_SHARE:
        raise ValueError(
            f"{value!r} is neither true nor false nor the share of known parts that it may cost"
            f" ({LEAST_SHARE:g} to {MOST_SHARE:g})"
        )
    return float(value)


class FusionConfig(Section):
    """How looks become one answer."""

    method: Literal["tempered-product", "mean", "majority"] = "tempered-product"
    exponent: Annotated[Number, Field(gt=0, le=1)] | None = None
    """Instead of the bundle's fitted exponent of the tempered product."""
    prior: Annotated[Prior | None, BeforeValidator(_read_prior)] = None
    """How common parts are: `common`, `uniform`, or a CSV of part,weight beside the YAML; left out: the bundle's."""
    min_looks: Annotated[Whole, Field(ge=1, le=100)] = 3
    max_looks: Annotated[Whole, Field(ge=1, le=1000)] = 30
    sure_above: Annotated[Number, Field(ge=0.5, le=0.9999)] = 0.80
    """Posterior mass of the bin under which a part is "unsure"."""

    reject_unknown: Annotated[bool | float, BeforeValidator(_read_share)] = True
    """Whether what looks like no part that the model knows is "unsure", where the bundle can tell; a number is the
    share of the known parts that it may cost, and `true` one that costs little."""

    @model_validator(mode="after")
    def _min_before_max(self) -> Self:
        if self.min_looks > self.max_looks:
            raise ValueError(f"min_looks {self.min_looks} is above max_looks {self.max_looks}")
        return self


class FeedLoopConfig(Section):
    """How the feeder follows what becomes of the parts; `closed_loop: false` lets it run at `parts_per_min`."""

    parts_per_min: Rate = 60.0
    """The most, and where it starts."""
    closed_loop: bool = True
    min_parts_per_min: Rate = 10.0
    target_lost: Annotated[Number, Field(gt=0, lt=1)] = 0.1
    """Share of parts refused by the gates or touching another at which the rate settles."""
    x_mm: Annotated[Number, Field(ge=-10_000, le=100_000)] | None = None
    """Station where parts land, below 0 before the seen belt: the feeder pauses until the last part is clear of it."""

    @model_validator(mode="after")
    def _least_before_most(self) -> Self:
        if "min_parts_per_min" in self.model_fields_set and self.min_parts_per_min > self.parts_per_min:
            raise ValueError(
                f"min_parts_per_min {self.min_parts_per_min:g} is above parts_per_min {self.parts_per_min:g}"
            )
        return self


class NoneFeederConfig(Section):
    """Parts come by hand."""

    driver: Literal["none"]
    parts_per_min: Rate = 60.0


class SimFeederConfig(FeedLoopConfig):
    """The simulated feeder."""

    driver: Literal["sim"]
    arrivals: Literal["regular", "poisson"] = "regular"
    touching_share: Annotated[Number, Field(ge=0, le=1)] = 0.005
    """Share of parts that fall together with the next one, against it."""


class GpioFeederConfig(FeedLoopConfig):
    """A vibrating feeder or its relay on a GPIO. `parts_per_min` is also the rate at full power."""

    driver: Literal["gpio"]
    pin: Pin
    active_high: bool = True
    pwm_hz: Annotated[Number, Field(ge=1, le=1000)] | None = None
    """Pulses a second of a motor driver, whose power then follows the rate; left out: a relay, on or off."""
    cycle_s: Annotated[Number, Field(ge=0.5, le=60)] = 4.0
    """A relay at half the rate is on and off once in so many seconds."""


FeederConfig = Annotated[NoneFeederConfig | SimFeederConfig | GpioFeederConfig, Field(discriminator="driver")]


class JournalConfig(Section):
    """The record of every part; `file` is relative to where the command runs, as `--journal` is."""

    file: Text = "brickgate-journal.jsonl"
    max_mb: Annotated[Number, Field(gt=0, le=100_000)] = 200.0
    max_pictures: Annotated[Whole, Field(ge=0, le=1_000_000)] = 2000
    """Of the newest parts, a picture each, in a folder beside the file; 0: none."""
    max_pictures_mb: Annotated[Number, Field(gt=0, le=100_000)] = 50.0


class SafetyConfig(Section):
    """When the machine stops by itself."""

    camera_timeout_s: Annotated[Number, Field(gt=0, le=60)] = 2.0
    max_lateness_s: Annotated[Number, Field(ge=0, le=1)] = 0.0
    """A command later than this against its latest useful moment is dropped."""
    watchdog_s: Annotated[Number, Field(ge=0.5, le=60)] = 3.0
    """A frame that takes longer than this has hung: the machine is stopped and the process ends."""
    gates_priority: Annotated[Whole, Field(ge=0, le=99)] = 40
    """Real-time priority of the threads that move the gates, where the system grants it; 0: none."""


class MachineConfig(Section):
    """machine.yaml."""

    camera: CameraConfig
    belt: BeltConfig
    accelerator: AcceleratorConfig = AcceleratorConfig()
    model: ModelConfig = ModelConfig()
    fusion: FusionConfig = FusionConfig()
    feeder: FeederConfig = NoneFeederConfig(driver="none")
    gates: Annotated[tuple[GateConfig, ...], Field(min_length=1)]
    """In the order in which the belt passes them."""
    sensors: tuple[SensorConfig, ...] = ()
    """Beams that show where parts really go; a machine may do without."""
    confirmation: ConfirmationConfig = ConfirmationConfig()
    journal: JournalConfig = JournalConfig()
    safety: SafetyConfig = SafetyConfig()
