"""The fusion of looks as machine.yaml wants it, and as the bundle was fitted where that says nothing."""

from __future__ import annotations

from edge.bundle.manifest import Bundle
from edge.bundle.size import load_size_evidence
from edge.bundle.unknown import COSTS_LITTLE
from edge.catalogue.parts import PartCatalogue
from edge.catalogue.prior import read_prior, shares
from edge.config.schema import FusionConfig
from edge.fusion.evidence import Method
from edge.fusion.verdict import Fusion, FusionSettings


def fusion_of(wanted: FusionConfig, bundle: Bundle, catalogue: PartCatalogue, colours: int) -> Fusion:
    """Builds it with the bundle's size evidence, its prior and what it knows of unknown parts.

    Args:
        catalogue: of the bundle's parts.
        colours: how many are told apart.

    Raises:
        BundleError: the size evidence cannot be read, or is of other parts.
    """
    settings = FusionSettings(
        method=Method(wanted.method),
        exponent=bundle.fusion_exponent if wanted.exponent is None else wanted.exponent,
        min_looks=wanted.min_looks,
    )
    size = load_size_evidence(bundle.size_evidence, len(bundle.parts)) if bundle.size_evidence else None
    prior = shares(wanted.prior or read_prior(bundle.prior), catalogue)
    share = COSTS_LITTLE if wanted.reject_unknown is True else wanted.reject_unknown
    familiarity = bundle.familiarity.losing(share) if bundle.familiarity and share else None
    return Fusion(len(bundle.parts), colours, settings, size, prior, familiarity)
