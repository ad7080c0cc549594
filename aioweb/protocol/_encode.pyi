from collections.abc import Iterable

from aioweb.protocol.events import RequestHead
from aioweb.protocol.framing import Framing

def encode_response(
    head: RequestHead, status: int, reason: str, fields: bytes, content: bytes, keep_alive: bool
) -> tuple[bytes, Framing]: ...
def encode_fields(pairs: Iterable[tuple[str, str]]) -> bytes: ...
def encode_chunk(data: bytes | bytearray | memoryview) -> bytes: ...
