"""The SD-card image: what builds it, and what it runs at boot and at an update."""
