"""The trained network for each accelerator, and the gate that every exported file must pass."""
