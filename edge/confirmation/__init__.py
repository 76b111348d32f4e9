"""What was planned and what the sensors saw, held against each other."""
