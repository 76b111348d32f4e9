"""The stages of one machine, in the order in which a part meets them."""

from __future__ import annotations

from dataclasses import dataclass

from edge.confirmation.confirmation import Confirmation
from edge.feeding.feeding import Feeding
from edge.fusion.verdict import Fusion
from edge.inference.classifier import Classifier
from edge.routing.router import Router
from edge.scheduling.belt import BeltCoordinate
from edge.scheduling.dispatcher import Dispatcher
from edge.scheduling.planner import Planner
from edge.tracking.tracker import Tracker


@dataclass(frozen=True, slots=True)
class Stages:
    """The stages of one machine."""

    tracker: Tracker
    classifier: Classifier
    fusion: Fusion
    router: Router
    planner: Planner
    dispatcher: Dispatcher
    belt: BeltCoordinate
    feeding: Feeding
    confirmation: Confirmation
