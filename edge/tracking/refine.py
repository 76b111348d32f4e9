"""The exact outlines of what one coarse blob holds: mostly one part, sometimes neighbours, sometimes only a shadow."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.light import FloatImage, evidence, log_image
from edge.records import Box, Detection, Picture
from edge.scaling import shrink
from edge.tracking.background import Background, quantile
from edge.tracking.fainter import fainter_parts
from edge.tracking.geometry import BeltGeometry
from edge.tracking.shadow import is_shadow, without_shadow
from edge.tracking.shape import Contour, Outline, has_neck, has_two_colours, measure_outline
from edge.tracking.twofold import twofoldness

PAD = 2
"""Small pixels around a coarse blob that are looked at as well."""
HALF_CONTRAST = 0.42
MOST_CONTRAST = 1.1
"""The outline is drawn where the evidence falls to this share of the part's own, which blur does not shift."""
LARGEST_CROP_PX = 112
FRAGMENT_GAP_MM = 1.0
SAMPLES = 400
CLOSING = np.ones((3, 3), np.uint8)
WIDE_CLOSING = np.ones((5, 5), np.uint8)


@dataclass(frozen=True, slots=True)
class Blob:
    """A detection with the pixels behind it."""

    detection: Detection
    mask: NDArray[np.bool_]
    """(h, w) of the detection's box."""
    cut_lead: bool
    cut_trail: bool
    cut_side: bool
    contour: Contour
    outline: Outline
    residual: FloatImage
    """(h, w, 3) log difference from the bare belt, in the contour's box; as `contour`, at the camera's resolution or at
    half of it."""
    inside: NDArray[np.bool_]
    """(h, w) the contour filled, at that resolution."""

    @property
    def twofoldness(self) -> float:
        """How much it looks like two parts that touch, also where it is no proof. Worked out each time it is asked."""
        return twofoldness(self.contour, self.outline, self.residual, self.inside)

    @property
    def twofold(self) -> bool:
        """Whether it surely looks like that. Worked out each time it is asked for."""
        return has_neck(self.contour, self.outline) or has_two_colours(self.residual, self.inside, self.outline)


@dataclass(frozen=True, slots=True)
class _Crop:
    """The surroundings of one coarse blob, at 1/`halve` of the camera's resolution."""

    origin: tuple[int, int]
    """Left and top in the region, camera pixels."""
    halve: int
    residual: FloatImage
    found: FloatImage
    threshold: float


class Refiner:
    """Works on the full picture around the coarse blobs of one view, found at 1/`shrink_by` of its size."""

    def __init__(self, view: str, geometry: BeltGeometry, min_area_mm2: float, shrink_by: int) -> None:
        self._view = view
        self._geometry = geometry
        self._min_area_px = min_area_mm2 * geometry.px_per_mm**2
        self._shrink = shrink_by

    def blobs(
        self, picture: Picture, background: Background, labels: NDArray[np.int32], label: int, box: Box
    ) -> list[Blob]:
        """The parts in one coarse blob.

        Args:
            picture: (H, W, 3) the camera's.
            background: has compared this picture.
            labels: (h, w) coarse blobs.
            label: this one.
            box: its box in coarse pixels.
        """
        crop = self._crop(picture, background, labels, label, box)
        contours = self._parts(self._outline_mask(crop), crop.halve)
        mm_per_px = crop.halve / self._geometry.px_per_mm
        contours += self._beside(contours, crop, mm_per_px)
        return [
            self._blob(contour, crop)
            for contour in contours
            if not is_shadow(filled(contour), _cut_out(crop.residual, contour), mm_per_px)
        ]

    def _crop(self, picture: Picture, background: Background, labels: NDArray[np.int32], label: int, box: Box) -> _Crop:
        (rows, columns), scale = labels.shape, self._shrink
        u0, v0 = max(box[0] - PAD, 0), max(box[1] - PAD, 0)
        u1, v1 = min(box[2] + PAD, columns), min(box[3] + PAD, rows)
        left, top, right, bottom = self._geometry.region_px
        bottom = bottom if v1 == rows else top + v1 * scale
        right = right if u1 == columns else left + u1 * scale
        fine = picture[top + v0 * scale : bottom, left + u0 * scale : right]
        halve = 2 if max(fine.shape[:2]) > LARGEST_CROP_PX else 1
        fine = shrink(fine, halve)
        size = (fine.shape[1], fine.shape[0])
        residual = cv2.subtract(log_image(fine), background.bare_patch((u0, v0, u1, v1), size))
        residual = np.asarray(cv2.blur(residual, (3, 3)), np.float32)
        near = cv2.dilate((labels[v0:v1, u0:u1] == label).astype(np.uint8), CLOSING)
        near = cv2.resize(near, size, interpolation=cv2.INTER_NEAREST)
        found = evidence(residual)
        found *= near
        return _Crop((u0 * scale, v0 * scale), halve, residual, found, background.threshold)

    def _beside(self, contours: list[Contour], crop: _Crop, mm_per_px: float) -> list[Contour]:
        """The parts that touch these and are so much fainter that their outlines leave them out."""
        outlined = np.zeros(crop.found.shape, np.uint8)
        # In the bay of an arch lies its shadow, and hardly ever a part.
        cv2.drawContours(outlined, [cv2.convexHull(contour) for contour in contours], -1, (1,), cv2.FILLED)
        masks = fainter_parts(crop.found, crop.residual, outlined, crop.threshold, mm_per_px)
        return [
            contour
            for mask in masks
            for contour in self._parts(self._outline_mask(replace(crop, found=crop.found * mask)), crop.halve)
        ]

    def _outline_mask(self, crop: _Crop) -> NDArray[np.uint8]:
        stride = max(round((crop.found.size / SAMPLES) ** 0.5), 1)
        samples = crop.found[::stride, ::stride]
        strong = samples[samples > crop.threshold]
        contrast = min(quantile(np.sort(strong), 0.5), MOST_CONTRAST) if strong.size else 0.0
        mask = (crop.found > max(crop.threshold, HALF_CONTRAST * contrast)).astype(np.uint8)
        closing = WIDE_CLOSING if crop.halve == 1 else CLOSING
        mask = np.asarray(cv2.morphologyEx(mask, cv2.MORPH_CLOSE, closing), np.uint8)
        mm_per_px = crop.halve / self._geometry.px_per_mm
        return np.asarray(
            cv2.morphologyEx(without_shadow(mask, crop.residual, mm_per_px), cv2.MORPH_CLOSE, closing), np.uint8
        )

    def _parts(self, mask: NDArray[np.uint8], halve: int) -> list[Contour]:
        """Outer contours; those within a part's outline, and small ones close by, are joined to it."""
        contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
        least = self._min_area_px / halve**2
        gap = FRAGMENT_GAP_MM * self._geometry.px_per_mm / halve
        parts: list[Contour] = []
        for found in sorted(contours, key=cv2.contourArea, reverse=True):
            contour = np.asarray(found, np.int32)
            small = cv2.contourArea(contour) < least
            homes = (index for index, part in enumerate(parts) if _belongs(contour, part, gap, small))
            home = next(homes, None)
            if home is not None:
                parts[home] = np.asarray(cv2.convexHull(np.vstack([parts[home], contour])), np.int32)
            elif not small:
                parts.append(contour)
        return parts

    def _blob(self, contour: Contour, crop: _Crop) -> Blob:
        u, v, width, height = cv2.boundingRect(contour)
        geometry, halve = self._geometry, crop.halve
        left = geometry.region_px[0] + crop.origin[0] + u * halve
        top = geometry.region_px[1] + crop.origin[1] + v * halve
        right = min(left + width * halve, geometry.region_px[2])
        bottom = min(top + height * halve, geometry.region_px[3])
        box = (left, top, right, bottom)
        inside = filled(contour)
        outline = measure_outline(contour)
        cut_lead, cut_trail, cut_side = geometry.cut_sides(box)
        lead, trail = geometry.stations_mm(*box)
        detection = Detection(
            view=self._view,
            box_px=box,
            area_px=float(cv2.countNonZero(inside)) * halve**2,
            lead_x_mm=lead,
            trail_x_mm=trail,
            y_mm=geometry.across_mm((left + right) / 2, (top + bottom) / 2),
            length_mm=outline.length_px * halve / geometry.px_per_mm,
            width_mm=outline.width_px * halve / geometry.px_per_mm,
            at_edge=cut_lead or cut_trail or cut_side,
        )
        residual, mask = _cut_out(crop.residual, contour), inside
        if halve > 1:
            size = (right - left, bottom - top)
            mask = np.asarray(cv2.resize(inside, size, interpolation=cv2.INTER_NEAREST), np.uint8)
        return Blob(detection, mask > 0, cut_lead, cut_trail, cut_side, contour, outline, residual, inside > 0)


def filled(contour: Contour) -> NDArray[np.uint8]:
    """(h, w) 0/1 of a contour's box, the contour filled."""
    u, v, width, height = cv2.boundingRect(contour)
    inside = np.zeros((height, width), np.uint8)
    cv2.drawContours(inside, [contour], -1, (1,), cv2.FILLED, offset=(-u, -v))
    return inside


def _cut_out(residual: FloatImage, contour: Contour) -> FloatImage:
    """The contour's box of a picture."""
    u, v, width, height = cv2.boundingRect(contour)
    return residual[v : v + height, u : u + width]


def _belongs(contour: Contour, part: Contour, gap_px: float, is_small: bool) -> bool:
    """Whether a fragment is a piece of a part: inside its outline, or a small one close to its hull."""
    points = contour.reshape(-1, 2)[:: max(len(contour) // 16, 1)]
    outline = cv2.convexHull(part) if is_small else part
    reach = gap_px if is_small else 0.0
    return max(cv2.pointPolygonTest(outline, (float(u), float(v)), True) for u, v in points) > -reach
