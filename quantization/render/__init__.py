"""Layered renders of LDraw parts, to be recoloured while training."""
