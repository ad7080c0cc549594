"""Server-sent events: what an event looks like on the wire, who makes events, and what ends them."""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aioweb.server.flow import ClientDisconnectedError
from aioweb.web.eventsource import EventSourceResponse, ServerSentEvent
from tests.web.fakes import FakeRequest, Source, prepared, sent

FIELDS = [("Content-Type", "text/event-stream"), ("Cache-Control", "no-cache"), ("X-Accel-Buffering", "no")]
CHUNKED = ("Transfer-Encoding", "chunked")
OLD = "1.0"  # without chunks the content is plain to read

# -- an event ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("event", "octets"),
    [
        (ServerSentEvent("hello"), b"data: hello\n\n"),
        (ServerSentEvent(""), b"data: \n\n"),
        (ServerSentEvent("a\nb\r\nc\rd\n\re"), b"data: a\ndata: b\ndata: c\ndata: d\ndata: \ndata: e\n\n"),
        (ServerSentEvent("ends\n"), b"data: ends\ndata: \n\n"),
        (ServerSentEvent("\u2028 \x0b \x85 \x1c no lines"), "data: \u2028 \x0b \x85 \x1c no lines\n\n".encode()),
        (ServerSentEvent(" kept: é"), "data:  kept: é\n\n".encode()),
        (ServerSentEvent("a", event="add", id="7", retry=3000), b"event: add\nid: 7\nretry: 3000\ndata: a\n\n"),
        (ServerSentEvent(id=""), b"id: \n\n"),
        (ServerSentEvent(retry=0), b"retry: 0\n\n"),
        (ServerSentEvent(comment="one\r\ntwo"), b": one\n: two\n\n"),
        (ServerSentEvent("data: a\n\nid: 1"), b"data: data: a\ndata: \ndata: id: 1\n\n"),
    ],
)
def test_an_event_on_the_wire(event: ServerSentEvent, octets: bytes) -> None:
    assert event.encode() == octets


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({}, ValueError, "an event needs data"),
        ({"data": b"a"}, TypeError, "data must be a str, not b'a'"),
        ({"data": {"a": 1}}, TypeError, "data must be a str"),
        ({"data": "a", "id": 5}, TypeError, "id must be a str, not 5"),
        ({"data": "a", "event": "a\nb"}, ValueError, "event must not hold a line break"),
        ({"data": "a", "event": "a\rdata: b"}, ValueError, "event must not hold a line break"),
        ({"data": "a", "id": "a\r\n"}, ValueError, "id must not hold a line break"),
        ({"data": "a", "id": "a\0"}, ValueError, "id must not hold NUL"),
        ({"retry": -1}, ValueError, "retry must be a number of milliseconds"),
        ({"retry": 1.5}, ValueError, "retry must be a number of milliseconds"),
        ({"retry": "1\n"}, ValueError, "retry must be a number of milliseconds"),
        ({"retry": True}, ValueError, "retry must be a number of milliseconds"),
    ],
)
async def test_what_no_event_can_hold_is_refused_where_it_is_made(
    arguments: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        ServerSentEvent(**arguments)
    response = EventSourceResponse()
    request = await prepared(response)
    if "comment" not in arguments:
        with pytest.raises(error, match=message):
            response.send(**arguments)
    assert request.content == b""
    await response.write_eof()


def test_a_lone_surrogate_cannot_be_sent() -> None:
    with pytest.raises(ValueError, match="surrogates"):
        ServerSentEvent("\ud800").encode()


def read_events(octets: bytes) -> list[tuple[str, str, str]]:
    """What a browser dispatches: (type, data, last event id), by the steps of WHATWG HTML section 9.2.6."""
    text = octets.decode().replace("\r\n", "\n").replace("\r", "\n")
    dispatched, data, kind, last_id = [], "", "", ""
    for line in text.split("\n")[:-1]:
        name, _, value = line.partition(":")
        value = value[1:] if value.startswith(" ") else value
        if not line:
            if data:
                dispatched.append((kind or "message", data[:-1], last_id))
            data = kind = ""
        elif name == "data":
            data += value + "\n"
        elif name == "event":
            kind = value
        elif name == "id" and "\0" not in value:
            last_id = value
    return dispatched


one_line = st.text(st.characters(exclude_characters="\r\n\0", exclude_categories=["Cs"]))


@given(
    events=st.lists(
        st.builds(
            ServerSentEvent,
            st.text(st.characters(exclude_categories=["Cs"])),
            event=st.none() | one_line,
            id=st.none() | one_line,
            retry=st.none() | st.integers(0, 10**9),
            comment=st.none() | st.text(st.characters(exclude_categories=["Cs"])),
        )
    )
)
def test_a_client_reads_what_was_sent(events: list[ServerSentEvent]) -> None:
    expected, last_id = [], ""
    for event in events:
        assert event.data is not None
        last_id = last_id if event.id is None else event.id
        expected.append((event.event or "message", event.data.replace("\r\n", "\n").replace("\r", "\n"), last_id))
    assert read_events(b"".join(event.encode() for event in events)) == expected


# -- made by an iterator -----------------------------------------------------------------------------------------------


async def test_events_of_an_iterator() -> None:
    source = Source("one", ServerSentEvent("two", id="2"))
    request = await sent(EventSourceResponse(source))
    assert request.fields == [*FIELDS, CHUNKED]
    assert request.content == b"b\r\ndata: one\n\n\r\n11\r\nid: 2\ndata: two\n\n\r\n0\r\n\r\n"
    assert source.closed == 1


async def test_headers_may_say_otherwise() -> None:
    headers = {"cache-control": "no-store", "X-A": "b"}
    request = await sent(EventSourceResponse(Source(), headers=headers), FakeRequest(version=OLD))
    assert dict(request.fields)["cache-control"] == "no-store"
    assert "Cache-Control" not in dict(request.fields)
    assert ("X-A", "b") in request.fields


async def test_the_head_leaves_before_the_first_event() -> None:
    request = FakeRequest()
    waiting = asyncio.ensure_future(sent(EventSourceResponse(events=endless([])), request))
    while request.writer.producer is None:
        await asyncio.sleep(0)
    assert request.fields == [*FIELDS, CHUNKED]
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def endless(steps: list[str]) -> AsyncIterator[str]:
    """Events of which the second never comes; it notes how it ends."""
    try:
        yield "first"
        await asyncio.Event().wait()
    except BaseException as error:
        steps.append(type(error).__name__)
        await asyncio.sleep(0)
        steps.append("cleaned up")
        raise


async def test_the_iterator_ends_when_the_client_goes() -> None:
    steps: list[str] = []
    request = FakeRequest()
    task = asyncio.ensure_future(sent(EventSourceResponse(endless(steps)), request))
    while b"first" not in request.content:
        await asyncio.sleep(0)
    request.writer.leave()
    with pytest.raises(ClientDisconnectedError):
        await task
    assert steps == ["CancelledError", "cleaned up"]


async def test_the_iterator_ends_when_the_server_stops_and_the_stream_is_complete() -> None:
    steps: list[str] = []
    request = FakeRequest()
    task = asyncio.ensure_future(sent(EventSourceResponse(endless(steps)), request))
    while b"first" not in request.content:
        await asyncio.sleep(0)
    request.writer.producer.server_stops()
    await task
    assert steps == ["CancelledError", "cleaned up"]
    assert request.content.endswith(b"0\r\n\r\n")


async def test_an_iterator_that_waits_to_give_its_event_is_closed_too() -> None:
    steps: list[str] = []
    response = EventSourceResponse(endless(steps))
    request = FakeRequest()

    class Waiting:
        def __await__(self) -> Any:
            request.writer.leave()
            yield

    def wait_for_a_slow_client() -> Waiting:
        return Waiting()

    request.writer._drain = wait_for_a_slow_client
    with pytest.raises(ClientDisconnectedError):
        await sent(response, request)
    assert steps == ["GeneratorExit", "cleaned up"]


@pytest.mark.parametrize("piece", [b"bytes", 5, None, {"a": 1}])
async def test_an_event_of_another_kind_is_an_error(piece: Any) -> None:
    source = Source(piece)
    with pytest.raises((TypeError, ValueError), match="data"):
        await sent(EventSourceResponse(source))
    assert source.closed == 1


@pytest.mark.parametrize("request_", [FakeRequest("HEAD")], ids=["HEAD"])
async def test_no_events_are_made_for_head(request_: FakeRequest) -> None:
    source = Source("one")
    await sent(EventSourceResponse(source), request_)
    assert (request_.content, source.given, source.closed) == (b"", 0, 1)


async def test_it_answers_one_request() -> None:
    source = Source("one")
    response = EventSourceResponse(source)
    await sent(response)
    with pytest.raises(RuntimeError, match="answers another request"):
        await sent(response)
    assert source.closed == 1


@pytest.mark.parametrize("events", [["a"], "a", endless])
def test_events_are_an_async_iterable(events: Any) -> None:
    with pytest.raises(TypeError, match="events must be an async iterable"):
        EventSourceResponse(events)


# -- made by the handler -----------------------------------------------------------------------------------------------


async def test_events_of_the_handler() -> None:
    request: Any = FakeRequest(version=OLD)
    async with EventSourceResponse(request=request) as source:
        await source.send("one", event="add", id="1", retry=10)
        await source.send(ServerSentEvent("two"))
        await source.send(id="2")
        with pytest.raises(TypeError, match="belong into the ServerSentEvent"):
            source.send(ServerSentEvent("two"), id="2")
    assert request.content == b"event: add\nid: 1\nretry: 10\ndata: one\n\ndata: two\n\nid: 2\n\n"
    assert request.writer.finished
    await source.finish(request)
    with pytest.raises(RuntimeError, match="after write_eof"):
        source.send("late")


async def test_a_response_that_was_prepared_can_be_entered() -> None:
    response = EventSourceResponse()
    request = await prepared(response, version=OLD)
    async with response:
        response.send("one")
    assert request.content == b"data: one\n\n"


async def test_without_a_request_there_is_nobody_to_send_to() -> None:
    for response in (EventSourceResponse(), EventSourceResponse(Source(), request=FakeRequest())):  # type: ignore[arg-type]
        with pytest.raises(RuntimeError, match="request=request"):
            await response.__aenter__()
        assert not response.prepared


async def handle(request: Any, steps: list[str]) -> str:
    """A handler that waits for an event which never comes."""
    async with EventSourceResponse(request=request) as source:
        await source.send("first")
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            steps.append("cleaned up")
            source.send("last")
    return "returned"


async def test_the_block_ends_when_the_server_stops_and_the_handler_goes_on() -> None:
    steps: list[str] = []
    request: Any = FakeRequest(version=OLD)
    task = asyncio.ensure_future(handle(request, steps))
    while request.writer.producer is None:
        await asyncio.sleep(0)
    request.writer.producer.server_stops()
    assert await task == "returned"
    assert steps == ["cleaned up"]
    assert request.content == b"data: first\n\ndata: last\n\n"
    assert request.writer.finished


async def test_the_block_ends_when_the_client_goes() -> None:
    steps: list[str] = []
    request: Any = FakeRequest()
    task = asyncio.ensure_future(handle(request, steps))
    while request.writer.producer is None:
        await asyncio.sleep(0)
    request.writer.leave()
    with pytest.raises(ConnectionResetError):
        await task
    assert steps == ["cleaned up"]


async def test_for_head_the_block_ends_at_its_first_wait() -> None:
    steps: list[str] = []
    request: Any = FakeRequest("HEAD")
    assert await handle(request, steps) == "returned"
    assert steps == ["cleaned up"]
    assert request.content == b""


async def test_an_error_in_the_block_leaves_the_stream_incomplete() -> None:
    request: Any = FakeRequest()
    with pytest.raises(LookupError):
        async with EventSourceResponse(request=request) as source:
            source.send("one")
            raise LookupError
    assert not request.writer.finished


async def test_last_event_id() -> None:
    request: Any = FakeRequest(fields="Last-Event-ID: 5 é\r\n")
    response = EventSourceResponse(request=request)
    assert response.last_event_id == "5 é"
    assert EventSourceResponse().last_event_id is None
    response = EventSourceResponse()
    await prepared(response, fields="last-event-id: 7\r\n")
    assert response.last_event_id == "7"
    await response.write_eof()
    async with EventSourceResponse(request=FakeRequest()) as source:  # type: ignore[arg-type]
        assert source.last_event_id is None


# -- heartbeat ---------------------------------------------------------------------------------------------------------


class Hours:
    """Time that passes when the test says so, for a loop that asks it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        self.calls: list[tuple[float, Any, tuple[Any, ...]]] = []
        loop = asyncio.get_running_loop()
        monkeypatch.setattr(loop, "time", lambda: self.now)
        monkeypatch.setattr(loop, "call_at", self.call_at)
        monkeypatch.setattr(loop, "call_later", lambda delay, call, *args: self.call_at(self.now + delay, call, *args))

    def call_at(self, when: float, call: Any, *args: Any) -> asyncio.TimerHandle:
        handle = asyncio.TimerHandle(when, call, args, asyncio.get_running_loop())
        self.calls.append((when, handle, args))
        return handle

    def pass_to(self, then: float) -> None:
        """Let time pass, and call what is due, in order."""
        while due := sorted((call for call in self.calls if call[0] <= then), key=lambda call: call[0]):
            self.calls.remove(due[0])
            self.now = max(self.now, due[0][0])
            if not due[0][1].cancelled():
                due[0][1]._run()
        self.now = then


@pytest.fixture
async def hours(monkeypatch: pytest.MonkeyPatch) -> Hours:
    return Hours(monkeypatch)


async def test_a_comment_is_sent_when_there_was_nothing_for_a_while(hours: Hours) -> None:
    response = EventSourceResponse(heartbeat=15)
    request = await prepared(response, version=OLD)
    hours.pass_to(1014)
    assert request.content == b""
    hours.pass_to(1015)
    assert request.content == b":\n\n"
    hours.pass_to(1020)
    response.send("event")
    hours.pass_to(1034.9)
    assert request.content == b":\n\ndata: event\n\n"
    hours.pass_to(1035)
    assert request.content == b":\n\ndata: event\n\n:\n\n"
    hours.pass_to(1065)
    assert request.content.endswith(b"\n\n:\n\n:\n\n:\n\n")
    await response.write_eof()
    hours.pass_to(2000)
    assert request.content.count(b":\n\n") == 4


async def test_the_default_is_15_seconds_and_none_is_never(hours: Hours) -> None:
    request = await prepared(EventSourceResponse(), version=OLD)
    silent = await prepared(EventSourceResponse(heartbeat=None), version=OLD)
    hours.pass_to(1016)
    assert (request.content, silent.content) == (b":\n\n", b"")
    hours.pass_to(9000)
    assert silent.content == b""


async def test_a_client_that_does_not_read_gets_no_more_comments(hours: Hours) -> None:
    request = await prepared(EventSourceResponse(heartbeat=15), version=OLD)
    request.writer.writing_paused = True
    hours.pass_to(9000)
    assert request.content == b""
    request.writer.writing_paused = False
    hours.pass_to(9015)
    assert request.content == b":\n\n"


async def test_when_the_client_is_gone_there_are_no_more_comments(hours: Hours) -> None:
    request = await prepared(EventSourceResponse(heartbeat=15), version=OLD)
    request.writer.leave()
    hours.pass_to(9000)
    assert request.content == b""
    assert hours.calls == []


@pytest.mark.parametrize("heartbeat", [0, -1, 0.0])
def test_a_heartbeat_takes_time(heartbeat: float) -> None:
    with pytest.raises(ValueError, match="heartbeat must be a number of seconds"):
        EventSourceResponse(heartbeat=heartbeat)


def test_a_stream_that_was_never_sent_leaves_nothing_behind(caplog: pytest.LogCaptureFixture) -> None:
    EventSourceResponse(endless([]))
    gc.collect()
    assert [record for record in caplog.records if record.levelno > logging.INFO] == []
