"""mask.py: masking, in both tongues."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aioweb.protocol.websocket import mask as mask_module
from tests.protocol.websocket.exchange import xor

pytestmark = pytest.mark.usefixtures("tongue")


def mask(keyed, *slice_of):
    return mask_module.mask(keyed, *slice_of)


keys = st.one_of(st.binary(min_size=4, max_size=4), st.sampled_from([b"\0\0\0\0", b"\xff\0\xff\0", b"\0\0\0\xff"]))


@given(keys, st.one_of(st.binary(max_size=300), st.integers(0, 3000).map(lambda size: b"\xa5" * size)))
def test_masking_is_the_exclusive_or_of_the_rfc(key, payload):
    assert mask(key + payload) == xor(payload, key)
    assert mask(bytearray(key + payload)) == xor(payload, key)


@pytest.mark.parametrize("size", [*range(10), *range(120, 132), *range(248, 262), 1024, 65537])
def test_masking_twice_gives_the_payload_at_every_size(size):
    key, payload = b"\x01\x80\xff\x7f", bytes(index * 7 & 0xFF for index in range(size))
    masked = mask(key + payload)
    assert type(masked) is bytes
    assert masked == xor(payload, key)
    assert mask(bytearray(key + masked)) == payload


@pytest.mark.parametrize("start", [-9, -1, 0, 1, 5, 20, 2**70])
@pytest.mark.parametrize("end", [None, -9, -1, 0, 3, 5, 6, 20, 300, 2**70])
def test_a_slice_is_masked_where_it_stands(start, end):
    for octets in (bytes(range(250, 256)) * 4, bytes(range(256)) * 2):
        buffer = bytearray(octets)
        assert mask(buffer, start, end) == mask(octets[start:end])
        assert mask(octets, start) == mask(octets[start:])
        if end is not None:
            assert buffer == octets
