"""Networks, their starting weights and the training loop."""
