"""Settings of the whole suite."""

from hypothesis import settings

# The same examples in every run: a suite that is green today is green tomorrow. Searching on is done by hand, with
# `pytest --hypothesis-profile=default`.
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")
