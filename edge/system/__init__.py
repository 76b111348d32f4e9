"""What makes a Pi an appliance: its service, its installation, its SD-card image."""
