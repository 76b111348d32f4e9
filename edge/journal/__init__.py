"""The durable record of every part."""
