"""Whether the sensors of machine.yaml fit its camera and the bins of bins.yaml."""

from __future__ import annotations

from collections.abc import Iterator

from edge.catalogue.spelling import did_you_mean
from edge.config.bins import BinsConfig
from edge.config.document import Document
from edge.config.findings import Finding, KeyPath
from edge.config.schema import MachineConfig

CLEAR_MM = 20.0
"""A part is known for sure only when it has left the picture and one more frame was seen."""


def check_sensors(config: MachineConfig, document: Document) -> list[Finding]:
    """The findings about where the sensors in machine.yaml are."""
    return [*_places_once(config, document), *_clear_of_view(config, document)]


def check_sensor_bins(config: MachineConfig, bins: BinsConfig, document: Document) -> Iterator[Finding]:
    """Sensors in chutes of bins that are not there; `document` is machine.yaml."""
    ways = bins.ways()
    for place, sensor in enumerate(config.sensors):
        if sensor.at.bin is not None and sensor.at.bin not in ways:
            hint = did_you_mean(sensor.at.bin, ways) or f"; it has {', '.join(ways)}"
            yield document.finding(
                ("sensors", place, "at", "bin"),
                f"'{sensor.at.bin}' is no bin of bins.yaml's layout{hint}",
                value=sensor.at.bin,
            )


def _places_once(config: MachineConfig, document: Document) -> Iterator[Finding]:
    first: dict[object, str] = {}
    for place, sensor in enumerate(config.sensors):
        at = sensor.at
        spot, words = (at.bin, f"bin '{at.bin}'") if at.bin is not None else (at.x_mm, f"{at.x_mm:g} mm")
        if spot in first:
            path: KeyPath = ("sensors", place, "at")
            yield document.finding(path, f"{words} has sensor '{first[spot]}' already; one is enough", value=spot)
        first.setdefault(spot, sensor.name)


def _clear_of_view(config: MachineConfig, document: Document) -> Iterator[Finding]:
    view_to_mm = config.camera.station_mm + config.camera.seen_mm
    for place, sensor in enumerate(config.sensors):
        x_mm = sensor.at.x_mm
        if x_mm is not None and x_mm < view_to_mm + CLEAR_MM:
            yield document.finding(
                ("sensors", place, "at", "x_mm"),
                f"{x_mm:g} must be {CLEAR_MM:g} mm past the camera's view, which ends at {view_to_mm:g} mm: before it, "
                "nobody knows where a part should go",
                value=f"{x_mm:g}",
            )
