"""The two tongues of the ground: its functions that exist in Python and in C, and where they are called.

A module of tests with `pytestmark = pytest.mark.usefixtures("tongue")` runs whole in each of them (conftest.py). It has
to call such a function through its module, `head.parse_request_head`, as that is what the fixture exchanges.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import attrs
import pytest

from aioweb.protocol import conditional, connection, encode, head, multipart
from aioweb.protocol.events import FieldSection, RequestHead
from aioweb.protocol.websocket import connection as websocket_connection
from aioweb.protocol.websocket import frames, mask
from aioweb.protocol.websocket import messages as websocket_messages

TONGUES = ("Python", "C")


@attrs.frozen
class Twins:
    """One function in two tongues."""

    name: str
    reference: Callable[..., Any]
    module: str
    """The name of the extension."""
    users: tuple[ModuleType, ...]
    """Who calls it by its name."""

    def spoken(self, tongue: str) -> Callable[..., Any]:
        """The function in that tongue. Skips the test where the twin was not built; fails in CI."""
        if tongue == "Python":
            return self.reference
        try:
            function: Callable[..., Any] = getattr(importlib.import_module(self.module), self.name)
        except ImportError as error:
            if os.environ.get("CI") == "true" and os.environ.get("AIOWEB_NO_EXTENSIONS") != "1":
                pytest.fail(f"the twins in C were not built: {error}")
            pytest.skip(f"needs the twins in C, `.venv/bin/pip install -e .` builds them: {error}")
        return function


HEAD = Twins("parse_request_head", head.parse_request_head_in_python, "aioweb.protocol._head", (head, connection))
RESPONSE = Twins("encode_response", encode.encode_response_in_python, "aioweb.protocol._encode", (encode, connection))
FIELDS = Twins(
    "encode_fields", encode.encode_fields_in_python, "aioweb.protocol._encode", (encode, conditional, multipart)
)
CHUNK = Twins("encode_chunk", encode.encode_chunk_in_python, "aioweb.protocol._encode", (encode, connection))
MASK = Twins("mask", mask.mask_in_python, "aioweb.protocol.websocket._mask", (mask, frames, websocket_connection))
FRAMES = Twins(
    "encode_frame",
    frames.encode_frame_in_python,
    "aioweb.protocol.websocket._frames",
    (frames, websocket_connection, websocket_messages),
)
ALL = (HEAD, RESPONSE, FIELDS, CHUNK, MASK, FRAMES)


@contextmanager
def speaking(tongue: str) -> Iterator[None]:
    """Every function that has a twin is spoken in this tongue by all who call it."""
    with pytest.MonkeyPatch.context() as patch:
        for twins in ALL:
            function = twins.spoken(tongue)
            for user in twins.users:
                patch.setattr(user, twins.name, function)
        yield


def story(function: Any, *arguments: Any, **keywords: Any) -> Any:
    """Everything that can be told of a call that parses a head, in a form that compares."""
    try:
        result = function(*arguments, **keywords)
    except Exception as error:
        return type(error), getattr(error, "status", None), str(error)
    if result is None:
        return None
    head, size = result
    assert type(head) is RequestHead
    fields = head.fields
    assert type(fields) is FieldSection
    parts = [*head[:6], *head[7:], fields.raw, fields.host, fields.content_length, fields.chunked, fields.options]
    parts += [fields.expect, fields.pairs, [*fields.headers.items()], size]
    return [(type(part), part) for part in parts]
