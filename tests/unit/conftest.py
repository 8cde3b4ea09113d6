"""Laws are tried on as many examples as keep the whole suite at a few seconds, and none is judged by a clock."""

from hypothesis import settings

settings.register_profile("unit", deadline=None, max_examples=50)
settings.load_profile("unit")
