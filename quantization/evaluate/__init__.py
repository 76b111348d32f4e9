"""What a model is worth: on unseen renders, and on photographs that it never saw."""
