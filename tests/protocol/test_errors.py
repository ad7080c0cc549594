"""The tree of errors and the status that each carries."""

from __future__ import annotations

import pytest

from aioweb.protocol import errors
from aioweb.protocol.errors import ProtocolError

STATUSES = {
    "ProtocolError": 400,
    "BadRequestLine": 400,
    "UriTooLong": 414,
    "VersionNotSupported": 505,
    "BadField": 400,
    "FieldsTooLarge": 431,
    "BadFraming": 400,
    "UnknownTransferCoding": 501,
    "BadChunk": 400,
    "ContentTooLarge": 413,
    "IncompleteMessage": 400,
}
CLASSES = {name: value for name, value in vars(errors).items() if isinstance(value, type)}


def test_no_error_is_missing_here():
    assert CLASSES.keys() == STATUSES.keys()


@pytest.mark.parametrize("name", STATUSES)
def test_an_error_of_the_peer_carries_its_status(name):
    assert CLASSES[name].status == STATUSES[name]
    assert issubclass(CLASSES[name], ProtocolError)


@pytest.mark.parametrize("name", STATUSES)
def test_the_tree_in_the_docstring_is_the_tree_of_the_classes(name):
    lines = errors.__doc__.splitlines()
    (line,) = [text for text in lines if f" {name} " in text and str(STATUSES[name]) in text]
    above = lines[: lines.index(line)]
    base = CLASSES[name].__base__.__name__
    if name != "ProtocolError":
        indent = line.index(name)
        (parent,) = [text for text in above if f" {base} " in text][-1:]
        assert parent.index(base) == indent - 4
