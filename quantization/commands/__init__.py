"""What `brickgate-model` can do, one module a theme. Parsing only; everything heavy is imported when it runs."""
