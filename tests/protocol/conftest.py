"""Property tests count examples, not milliseconds: a machine that is busy with something else fails nothing."""

from hypothesis import settings

settings.register_profile("aioweb", deadline=None)
settings.load_profile("aioweb")
