r"""The grammar of HTTP/1.1 as patterns, the ABNF above each. Nobody else in the ground writes such a pattern.

Patterns over bytes are matched against the receive buffer in place. Each is linear: no two neighbouring repeats can
match the same octet, so there is nothing to backtrack into (CVE-2020-5236, CVE-2024-24762). Digits are `[0-9]`, never
`\d`, which knows the digits of every script when it looks at text (CVE-2025-69224).
"""

import re

# RFC 9110 section 5.6.2
#   token = 1*tchar
#   tchar = "!" / "#" / "$" / "%" / "&" / "'" / "*" / "+" / "-" / "." / "^" / "_" / "`" / "|" / "~" / DIGIT / ALPHA
_TOKEN = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
TOKEN = re.compile(_TOKEN)

# RFC 9112 section 3.2.1, RFC 3986 section 3
#   origin-form   = absolute-path [ "?" query ]
#   absolute-path = 1*( "/" segment )
# RFC 3986 allows fewer characters than browsers send: the URL standard of the WHATWG leaves | { } ^ ` \ [ ] unescaped
# in places, and users type them. All of them are visible ASCII and divide nothing, so they pass. What stays out: space
# and controls (they end the target), DEL, everything that is not ASCII, "#" (a fragment is never sent; two readers
# would cut the target differently) and the delimiters " < > that every browser escapes.
_PATH = r"/[!$-;=@-~]*"
_QUERY = r"[!$-;=?-~]*"

# RFC 9112 section 3, 2.3
#   request-line = method SP request-target SP HTTP-version
#   HTTP-version = HTTP-name "/" DIGIT "." DIGIT
# This one accepts the common case, origin-form and a 1.x version, in one step and with the CRLF behind it. CONNECT has
# no target of that form (section 3.2.3).
REQUEST_LINE = re.compile(rf"(?!CONNECT )({_TOKEN}) ({_PATH}(?:\?{_QUERY})?) HTTP/1\.([0-9])\r\n".encode())
ORIGIN_FORM = re.compile(rf"({_PATH})(?:\?({_QUERY}))?")
HTTP_VERSION = re.compile(r"HTTP/([0-9])\.([0-9])")

# RFC 9112 section 3.2.2: absolute-form = absolute-URI. Only the schemes that we serve; userinfo is an error in both
# (RFC 9110 section 4.2.4), the authority is checked against HOST afterwards.
ABSOLUTE_FORM = re.compile(rf"[Hh][Tt][Tt][Pp][Ss]?://([^/?]*)({_PATH})?(?:\?({_QUERY}))?")

# RFC 3986 section 3.2.2
#   IPv6address = 6( h16 ":" ) ls32 / "::" 5( h16 ":" ) ls32 / [ h16 ] "::" 4( h16 ":" ) ls32 / ...
#   h16 = 1*4HEXDIG;  ls32 = ( h16 ":" h16 ) / IPv4address
_H16 = r"[0-9A-Fa-f]{1,4}"
_DEC_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_LS32 = rf"(?:{_H16}:{_H16}|(?:{_DEC_OCTET}\.){{3}}{_DEC_OCTET})"
_IPV6 = "|".join(
    [rf"(?:{_H16}:){{6}}{_LS32}", rf"::(?:{_H16}:){{5}}{_LS32}"]
    + [rf"(?:(?:{_H16}:){{0,{n}}}{_H16})?::(?:{_H16}:){{{4 - n}}}{_LS32}" for n in range(5)]
    + [rf"(?:(?:{_H16}:){{0,5}}{_H16})?::{_H16}", rf"(?:(?:{_H16}:){{0,6}}{_H16})?::"]
)
# RFC 3986 section 3.2.2, 3.2.3
#   host = IP-literal / IPv4address / reg-name;  port = *DIGIT
#   reg-name = *( unreserved / pct-encoded / sub-delims )
# No host is empty in front of a port (RFC 9110 section 4.2.1), and no port is above 65,535.
_REG_NAME = r"[0-9A-Za-z\-._~!$&'()*+,;=]*(?:%[0-9A-Fa-f]{2}[0-9A-Za-z\-._~!$&'()*+,;=]*)*"
_HOST = rf"(?!:)(?:\[(?:{_IPV6}|[Vv][0-9A-Fa-f]+\.[0-9A-Za-z\-._~!$&'()*+,;=:]+)\]|{_REG_NAME})"
_PORT = r"(?:[0-5]?[0-9]{1,4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"
# RFC 9110 section 7.2: Host = uri-host [ ":" port ]. An empty one is legal there, for targets without an authority.
HOST = re.compile(rf"{_HOST}(?::{_PORT}?)?")
# RFC 9112 section 3.2.3: authority-form = uri-host ":" port, for CONNECT.
AUTHORITY_FORM = re.compile(rf"{_HOST}:{_PORT}")

# RFC 9112 section 5, RFC 9110 section 5.5
#   field-line    = field-name ":" OWS field-value OWS
#   field-name    = token
#   field-value   = *field-content
#   field-vchar   = VCHAR / obs-text;  obs-text = %x80-FF
# No white space between name and colon, no line folding, no control but HTAB: each of them was a smuggling hole once.
_FIELD_LINE = rf"{_TOKEN}:[\t -~\x80-\xff]*"
FIELD_LINE = re.compile(_FIELD_LINE.encode("latin-1"))
# RFC 9112 section 2.1: *( field-line CRLF ) CRLF
FIELD_SECTION = re.compile(rf"(?:{_FIELD_LINE}\r\n)*\r\n".encode("latin-1"))
# The fields that decide about framing, persistence and the target, wherever they stand in a valid section. The CRLF
# in front of a name belongs to the line before it, that is why the search begins at the end of the request line.
DECIDING_FIELD = re.compile(rb"\r\n(host|connection|content-length|transfer-encoding|expect):([^\r]*)", re.IGNORECASE)

# What no line may hold between its ends: every control but HTAB (CR and LF among them, as a line ends at CRLF only).
BAD_OCTET = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")

# RFC 9110 section 8.6: Content-Length = 1*DIGIT. Eighteen digits are below 2**63 and more than anybody can send.
CONTENT_LENGTH = re.compile(r"[0-9]{1,18}")

# RFC 9112 section 7.1
#   chunk     = chunk-size [ chunk-ext ] CRLF chunk-data CRLF;  chunk-size = 1*HEXDIG
#   chunk-ext = *( BWS ";" BWS chunk-ext-name [ BWS "=" BWS chunk-ext-val ] );  chunk-ext-val = token / quoted-string
_QUOTED_STRING = r'"(?:[\t !#-\[\]-~\x80-\xff]|\\[\t -~\x80-\xff])*"'
CHUNK_LINE = re.compile(
    (
        r"([0-9A-Fa-f]{1,16})"
        rf"((?:[ \t]*;[ \t]*{_TOKEN}(?:[ \t]*=[ \t]*(?:{_TOKEN}|{_QUOTED_STRING}))?)*)"
    ).encode("latin-1")
)

# RFC 6455 section 4.1: a nonce of 16 octets, base64 (RFC 4648 section 4).
WEBSOCKET_KEY = re.compile(r"[0-9A-Za-z+/]{22}==")
# RFC 6455 section 9.1, where white space may stand around the delimiters (RFC 2616 section 2.1)
#   extension-param = token [ "=" ( token | quoted-string ) ];  unquoted, the quoted-string has to be a token
EXTENSION_PARAMETER = re.compile(
    rf"[ \t]*;[ \t]*({_TOKEN})(?:[ \t]*=[ \t]*(?:({_TOKEN})|\"((?:\\?[!#$%&'*+\-.^_`|~0-9A-Za-z])+)\"))?"
)
# The end of a chunk and the size line of the next one, if that has no extensions.
NEXT_CHUNK = re.compile(rb"\r\n([0-9A-Fa-f]{1,16})\r\n")

# What we write: the same rules, over text. Values and reasons may hold anything that UTF-8 can write but controls, and
# the surrogates that stand for an octet (PEP 383); of the others nobody can say what they mean.
BAD_IN_VALUE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f\ud800-\udc7f\udd00-\udfff]")
