"""Basic credentials: RFC 7617. Whether they are the right ones is the application's business."""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode
from typing import NamedTuple

from aioweb.protocol.grammar import BAD_IN_VALUE


class _Credentials(NamedTuple):
    login: str
    password: str
    encoding: str


class BasicAuth(_Credentials):
    """Login and password of the Basic scheme: a named tuple `(login, password, encoding)`.

    Args:
        login: The user-id.
        password: The password; its text stays out of `repr()`.
        encoding: How both become octets. RFC 7617 section 2 leaves the default open; clients differ on anything but
            ASCII.

    Raises ValueError for a login with a colon, which would end it, and for controls in either (RFC 7617 section 2).
    """

    __slots__ = ()

    def __new__(cls, login: str, password: str = "", encoding: str = "latin1") -> BasicAuth:
        """Check what the docstring of the class says."""
        if not isinstance(login, str) or not isinstance(password, str):
            raise ValueError("login and password are str, None is not allowed")
        if ":" in login:
            raise ValueError("a login must not hold a colon (RFC 7617 section 2)")
        if BAD_IN_VALUE.search(login) or BAD_IN_VALUE.search(password):
            raise ValueError("login and password must not hold control characters (RFC 7617 section 2)")
        return super().__new__(cls, login, password, encoding)

    @classmethod
    def decode(cls, header: str, encoding: str = "latin1") -> BasicAuth:
        """Read the value of an Authorization field.

        Raises ValueError, which never repeats the credentials, for another scheme or anything malformed.
        """
        scheme, _, credentials = header.strip(" \t").partition(" ")
        if scheme.lower() != "basic":
            raise ValueError("the authorization scheme is not Basic")
        try:
            encoded = credentials.lstrip(" ").encode("ascii")
            octets = b64decode(encoded, validate=True)
        except (UnicodeEncodeError, binascii.Error):
            raise ValueError("the Basic credentials are not base64") from None
        if b64encode(octets) != encoded:  # too much padding passes `validate`
            raise ValueError("the Basic credentials are not base64")
        try:
            login, colon, password = octets.decode(encoding).partition(":")
        except UnicodeDecodeError:
            raise ValueError(f"the Basic credentials are not {encoding}") from None
        if not colon:
            raise ValueError("the Basic credentials have no colon")
        return cls(login, password, encoding)

    def encode(self) -> str:
        """The value of an Authorization field. Raises ValueError if `encoding` cannot write the text."""
        octets = f"{self.login}:{self.password}".encode(self.encoding)
        return f"Basic {b64encode(octets).decode('ascii')}"

    def __repr__(self) -> str:
        return f"BasicAuth(login={self.login!r}, password=<hidden>, encoding={self.encoding!r})"
