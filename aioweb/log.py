"""The named loggers of aioweb. Nothing here configures logging: that is the application's right."""

import logging

access_logger = logging.getLogger("aioweb.access")
server_logger = logging.getLogger("aioweb.server")
web_logger = logging.getLogger("aioweb.web")
