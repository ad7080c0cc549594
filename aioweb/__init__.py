from aioweb._version import __version__
