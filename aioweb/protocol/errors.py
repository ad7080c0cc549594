"""What the ground raises about the peer, and the status that answers it.

    ProtocolError                    400   the peer broke the protocol; the base of everything here
    ├── BadRequestLine               400
    │   ├── UriTooLong               414   RFC 9110 section 15.5.15
    │   └── VersionNotSupported      505   RFC 9110 section 15.6.6
    ├── BadField                     400   a field line, or a field that decides something (Host ...)
    │   └── FieldsTooLarge           431   RFC 6585 section 5
    ├── BadFraming                   400   Content-Length and Transfer-Encoding
    │   └── UnknownTransferCoding    501   RFC 9112 section 6.1
    ├── BadChunk                     400   the chunked coding
    │   └── ContentTooLarge          413   what frames the content outgrew its limit
    └── IncompleteMessage            400   the peer ended in the middle of a message

Whatever bytes arrive, the ground raises nothing else; any other exception is a bug of ours. After a ProtocolError
nothing of that connection can be trusted: the error is answered with its status, and the connection closes.

A local mistake is not a ProtocolError: an illegal value is a ValueError, an illegal move a RuntimeError.
"""


class ProtocolError(Exception):
    """The peer broke the protocol.

    `status` (an int, an HTTP status code) is the answer that it deserves. `str(error)` is a short reason that is
    safe to show to the peer and to log: octets in it are escaped and cut, and none belongs to another request.
    """

    status = 400


class BadRequestLine(ProtocolError):
    """The request line is not `method SP request-target SP HTTP-version` (RFC 9112 section 3)."""


class UriTooLong(BadRequestLine):
    """The request line is longer than `Limits.line`."""

    status = 414


class VersionNotSupported(BadRequestLine):
    """The request speaks another major version than HTTP/1."""

    status = 505


class BadField(ProtocolError):
    """A field line breaks RFC 9112 section 5, or a field that the server acts on has an impossible value."""


class FieldsTooLarge(BadField):
    """One field line, the sum of them or their number is over its limit."""

    status = 431


class BadFraming(ProtocolError):
    """Content-Length and Transfer-Encoding leave more than one reading (RFC 9112 section 6)."""


class UnknownTransferCoding(BadFraming):
    """A transfer coding other than chunked."""

    status = 501


class BadChunk(ProtocolError):
    """The content breaks the chunked coding (RFC 9112 section 7.1)."""


class ContentTooLarge(BadChunk):
    """A chunk-size line, or the chunk extensions of a message, are over their limit."""

    status = 413


class IncompleteMessage(ProtocolError):
    """The connection ended before the message did (RFC 9112 section 8)."""
