"""Finds the parts on the moving belt: coarsely on a small picture, then exactly in the full one around each part."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.light import FloatImage, evidence, log_image
from edge.records import Box, Detection, ImageBgr
from edge.tracking.background import Background, MaskImage
from edge.tracking.geometry import BeltGeometry
from edge.tracking.shape import Contour, has_neck, has_two_colours, measure_outline

COARSE_PX_PER_MM = 1.25
"""Scale of the small picture: a part of 5 mm still covers 6 × 6 pixels."""
SEED_FACTOR = 1.6
"""A blob needs some evidence this far above the threshold; its rim only needs the threshold."""
HALF_CONTRAST = 0.42
MOST_CONTRAST = 1.1
"""The outline is drawn where the evidence falls to this share of the part's own, which blur does not shift."""
LARGEST_CROP_PX = 256
FRAGMENT_GAP_MM = 1.0
WASHED_OUT = 0.45
SOFT_RISE = 0.12
"""A shadow's evidence rises by less than this share of its contrast within one millimetre."""
CLOSING = np.ones((3, 3), np.uint8)
WIDE = np.ones((5, 5), np.uint8)


@dataclass(frozen=True, slots=True)
class Blob:
    """A detection with the pixels behind it."""

    detection: Detection
    mask: NDArray[np.bool_]
    """(h, w) of the detection's box."""
    cut_lead: bool
    cut_trail: bool
    cut_side: bool
    twofold: bool
    """True when it looks like two parts that touch."""


class Segmenter:
    """Finds the blobs of one view."""

    def __init__(self, view: str, geometry: BeltGeometry, min_area_mm2: float) -> None:
        self._view = view
        self._geometry = geometry
        self._min_area_px = min_area_mm2 * geometry.px_per_mm**2
        self._shrink = max(round(geometry.px_per_mm / COARSE_PX_PER_MM), 1)
        self._background: Background | None = None

    def find(self, image_bgr: ImageBgr, travel_mm: float) -> list[Blob]:
        """The blobs in a camera picture (H, W, 3); `travel_mm` is the belt's way since the last one."""
        u0, v0, u1, v1 = self._geometry.region_px
        region = image_bgr[v0:v1, u0:u1]
        small = shrink(region, self._shrink)
        if self._background is None:
            self._background = Background(small)
        background = self._background
        found = background.compare(small)
        labels, boxes = self._coarse_blobs(found, background.threshold)
        blobs = [
            blob for label, box in boxes for blob in self._refine(region, background, labels == label, box)
        ]
        background.learn(cv2.dilate((labels > 0).astype(np.uint8) * 255, WIDE), travel_mm)
        return blobs

    def _coarse_blobs(self, found: FloatImage, threshold: float) -> tuple[NDArray[np.int32], list[tuple[int, Box]]]:
        """Labels of the small picture (0 = bare) and the label and box of each blob worth a closer look."""
        low = (found > threshold).astype(np.uint8)
        low = cv2.morphologyEx(cv2.morphologyEx(low, cv2.MORPH_CLOSE, CLOSING), cv2.MORPH_OPEN, CLOSING[:2, :2])
        count, labels, stats, _ = cv2.connectedComponentsWithStats(low, connectivity=8, ltype=cv2.CV_32S)
        seeded = np.bincount(labels[found > SEED_FACTOR * threshold], minlength=count)
        least = 0.5 * self._min_area_px / self._shrink**2
        boxes: list[tuple[int, Box]] = []
        for label in range(1, count):
            left, top, width, height, area = (int(value) for value in stats[label])
            if area >= least and seeded[label] >= 0.15 * least and not self._spans_belt(left, top, width, height, found):
                boxes.append((label, (left, top, left + width, top + height)))
        return labels, boxes

    def _spans_belt(self, left: int, top: int, width: int, height: int, found: FloatImage) -> bool:
        """A seam or a band of light reaches across the whole belt; no part does."""
        rows, columns = found.shape
        if self._geometry.along_v:
            return left == 0 and width == columns
        return top == 0 and height == rows

    def _refine(self, region: ImageBgr, background: Background, inside: NDArray[np.bool_], box: Box) -> list[Blob]:
        """The exact outlines of what one coarse blob holds: mostly one part, sometimes neighbours."""
        rows, columns = inside.shape
        pad = 2
        u0, v0 = max(box[0] - pad, 0), max(box[1] - pad, 0)
        u1, v1 = min(box[2] + pad, columns), min(box[3] + pad, rows)
        scale = self._shrink
        crop = region[v0 * scale : _end(v1, rows, scale, region.shape[0]), u0 * scale : _end(u1, columns, scale, region.shape[1])]
        halve = 2 if max(crop.shape[:2]) > LARGEST_CROP_PX else 1
        fine = shrink(crop, halve)
        size = (fine.shape[1], fine.shape[0])
        residual = cv2.subtract(log_image(fine), background.bare_patch((u0, v0, u1, v1), size))
        residual = cv2.blur(residual, (3, 3)).astype(np.float32, copy=False)
        near = cv2.dilate(inside[v0:v1, u0:u1].astype(np.uint8), CLOSING)
        near = cv2.resize(near, size, interpolation=cv2.INTER_NEAREST)
        found = cv2.multiply(evidence(residual), near.astype(np.float32)).astype(np.float32, copy=False)
        mask = self._outline_mask(found, background.threshold)
        blobs: list[Blob] = []
        for contour in self._parts(mask, halve):
            if not self._is_shadow(contour, found, residual, halve):
                blobs.append(self._blob(contour, residual, (u0 * scale, v0 * scale), halve))
        return blobs

    def _outline_mask(self, found: FloatImage, threshold: float) -> MaskImage:
        strong = found[found > threshold]
        contrast = min(float(np.median(strong)), MOST_CONTRAST) if strong.size else 0.0
        mask = (found > max(threshold, HALF_CONTRAST * contrast)).astype(np.uint8)
        return cv2.morphologyEx(mask, cv2.MORPH_CLOSE, WIDE).astype(np.uint8, copy=False)

    def _parts(self, mask: MaskImage, halve: int) -> list[Contour]:
        """Outer contours, those that lie within a part's hull or close by joined to it, the small ones left out."""
        contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
        least = self._min_area_px / halve**2
        gap = FRAGMENT_GAP_MM * self._geometry.px_per_mm / halve
        ordered = sorted(contours, key=cv2.contourArea, reverse=True)
        parts: list[Contour] = []
        for contour in ordered:
            area = cv2.contourArea(contour)
            home = next((index for index, part in enumerate(parts) if _belongs(contour, part, gap, area < least)), None)
            if home is not None:
                parts[home] = cv2.convexHull(np.vstack([parts[home], contour])).astype(np.int32, copy=False)
            elif area >= least:
                parts.append(contour.astype(np.int32, copy=False))
        return parts

    def _is_shadow(self, contour: Contour, found: FloatImage, residual: FloatImage, halve: int) -> bool:
        """Evenly darker than the belt, not by much, and with a soft rim."""
        inside = np.zeros(found.shape, np.uint8)
        cv2.drawContours(inside, [contour], -1, 1, cv2.FILLED)
        colour = np.median(residual[inside > 0], axis=0)
        mean = float(colour.mean())
        if mean > 0 or mean < -WASHED_OUT or float(np.abs(colour - mean).max()) > 0.35 * -mean:
            return False
        light = residual.mean(axis=2)
        rise = cv2.magnitude(cv2.Sobel(light, cv2.CV_32F, 1, 0, scale=1 / 8), cv2.Sobel(light, cv2.CV_32F, 0, 1, scale=1 / 8))
        steepest = float(np.percentile(rise[inside > 0], 97)) * self._geometry.px_per_mm / halve
        return steepest < SOFT_RISE * 4 * -mean

    def _blob(self, contour: Contour, residual: FloatImage, origin: tuple[int, int], halve: int) -> Blob:
        u, v, width, height = cv2.boundingRect(contour)
        inside = np.zeros((height, width), np.uint8)
        cv2.drawContours(inside, [contour], -1, 1, cv2.FILLED, offset=(-u, -v))
        outline = measure_outline(contour)
        geometry = self._geometry
        left, top = geometry.region_px[0] + origin[0] + u * halve, geometry.region_px[1] + origin[1] + v * halve
        box = (left, top, min(left + width * halve, geometry.region_px[2]), min(top + height * halve, geometry.region_px[3]))
        cut_lead, cut_trail, cut_side = geometry.cut_sides(box)
        lead, trail = geometry.stations_mm(*box)
        px_per_mm = geometry.px_per_mm / halve
        detection = Detection(
            view=self._view,
            box_px=box,
            area_px=float(np.count_nonzero(inside)) * halve**2,
            lead_x_mm=lead,
            trail_x_mm=trail,
            y_mm=geometry.across_mm((box[0] + box[2]) / 2, (box[1] + box[3]) / 2),
            length_mm=outline.length_px / px_per_mm,
            width_mm=outline.width_px / px_per_mm,
            at_edge=cut_lead or cut_trail or cut_side,
        )
        seen = inside > 0
        twofold = has_neck(contour, outline) or has_two_colours(residual[v : v + height, u : u + width], seen, outline)
        if halve > 1:
            size = (box[2] - box[0], box[3] - box[1])
            seen = cv2.resize(inside, size, interpolation=cv2.INTER_NEAREST) > 0
        return Blob(detection, seen, cut_lead, cut_trail, cut_side, twofold)


def shrink(image_bgr: ImageBgr, factor: int) -> ImageBgr:
    """The picture at 1/`factor` of its size, area-averaged. Halving first is several times quicker than one step."""
    height, width = image_bgr.shape[:2]
    size = (max(width // factor, 1), max(height // factor, 1))
    if factor == 1:
        return image_bgr
    if factor % 2 == 0 and factor > 2:
        image_bgr = cv2.resize(image_bgr, (size[0] * factor // 2, size[1] * factor // 2), interpolation=cv2.INTER_AREA)
    return cv2.resize(image_bgr, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)


def _end(small: int, small_size: int, scale: int, size: int) -> int:
    """A full-size end: the last small pixel also covers what the division left over."""
    return size if small == small_size else small * scale


def _belongs(contour: Contour, part: Contour, gap_px: float, is_small: bool) -> bool:
    """Whether a fragment is a piece of a part: inside its outline, or a small one close to it."""
    points = contour.reshape(-1, 2)[:: max(len(contour) // 16, 1)]
    outline = cv2.convexHull(part) if is_small else part
    reach = gap_px if is_small else 0.0
    return max(cv2.pointPolygonTest(outline, (float(u), float(v)), True) for u, v in points) > -reach
