from aioweb.protocol.events import RequestHead
from aioweb.protocol.limits import Limits

def parse_request_head(
    buffer: bytes | bytearray, limits: Limits, previous: RequestHead | None = None
) -> tuple[RequestHead, int] | None: ...
