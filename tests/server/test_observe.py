"""The seam: who hears what, in which order, and what happens to observers that misbehave."""

from __future__ import annotations

import inspect
import logging
from typing import Any

import pytest

from aioweb.server.observe import EVENTS, NO_OBSERVERS, Observer, Observers


class Recorder(Observer):
    """Hears every event and remembers it."""

    def __init__(self) -> None:
        self.heard: list[tuple[Any, ...]] = []


def _recording(event: str) -> Any:
    def method(self: Recorder, *args: Any) -> None:
        self.heard.append((event, *args))

    return method


for _event in EVENTS:
    setattr(Recorder, _event, _recording(_event))


class Starts(Observer):
    def __init__(self, log: list[str], name: str) -> None:
        self.log, self.name = log, name

    def request_started(self, request: Any) -> None:
        self.log.append(self.name)


class Broken(Observer):
    def request_started(self, request: Any) -> None:
        raise LookupError("no such gauge")


class Interrupting(Observer):
    def request_started(self, request: Any) -> None:
        raise KeyboardInterrupt


def emit(observers: Observers, event: str, *args: Any) -> None:
    """What an emitting site does."""
    if getattr(observers, event):
        for notify in getattr(observers, event):
            notify(*args)


def test_the_seam_has_these_events_and_no_others():
    assert (
        *("request_started", "request_routed", "response_started", "response_sent"),
        *("request_ended", "request_failed", "client_gone"),
        *("request_refused", "connection_opened", "connection_closed"),
        *("websocket_opened", "websocket_message", "websocket_closed", "task_failed"),
    ) == EVENTS


@pytest.mark.parametrize("event", EVENTS)
def test_an_observer_hears_each_event_with_what_its_method_takes(event):
    recorder = Recorder()
    arguments = tuple(object() for _ in list(inspect.signature(getattr(Observer, event)).parameters)[1:])
    emit(Observers([recorder]), event, *arguments)
    assert recorder.heard == [(event, *arguments)]


@pytest.mark.parametrize("event", EVENTS)
def test_the_methods_of_the_base_class_do_nothing(event):
    method = getattr(Observer(), event)
    assert method(*inspect.signature(method).parameters) is None


@pytest.mark.parametrize("event", EVENTS)
@pytest.mark.parametrize("observers", [NO_OBSERVERS, Observers([Observer()])], ids=["nobody", "nobody who listens"])
def test_an_event_that_nobody_overrides_is_an_empty_tuple(observers, event):
    assert getattr(observers, event) == ()


@pytest.mark.parametrize("event", EVENTS)
def test_overriding_one_event_leaves_the_others_silent(event):
    observers = Observers([type("One", (Observer,), {event: lambda self, *args: None})()])
    assert [name for name in EVENTS if getattr(observers, name)] == [event]


@pytest.mark.parametrize("event", EVENTS)
def test_only_the_end_of_a_response_makes_the_roof_look_at_the_clock(event):
    assert Observers([type("One", (Observer,), {event: lambda self, *args: None})()]).timed is (
        event in ("response_sent", "request_ended")
    )
    assert NO_OBSERVERS.timed is False


def test_observers_hear_in_the_order_of_their_attachment():
    log: list[str] = []
    emit(Observers(Starts(log, name) for name in "cab"), "request_started", object())
    assert log == ["c", "a", "b"]


def test_an_inherited_method_is_heard():
    log: list[str] = []
    emit(Observers([type("Child", (Starts,), {})(log, "child")]), "request_started", object())
    assert log == ["child"]


def test_a_method_of_the_instance_is_heard():
    observer, heard = Recorder(), []
    observer.client_gone = heard.append
    emit(Observers([observer]), "client_gone", "request")
    assert (heard, observer.heard) == (["request"], [])


def test_an_observer_that_raises_is_logged_once_for_each_event_and_the_others_still_hear(caplog):
    log: list[str] = []
    observers = Observers([Starts(log, "before"), Broken(), Starts(log, "after")])
    for count in (1, 2):
        emit(observers, "request_started", object())
        assert log == ["before", "after"] * count
        assert len(caplog.records) == count
    record = caplog.records[0]
    assert (record.name, record.levelno) == ("aioweb.server", logging.ERROR)
    assert record.getMessage() == "Observer Broken.request_started has failed"
    assert isinstance(record.exc_info[1], LookupError)


def test_what_stops_the_process_is_not_swallowed():
    with pytest.raises(KeyboardInterrupt):
        emit(Observers([Interrupting()]), "request_started", object())


@pytest.mark.parametrize("other", [print, None, "access log", object()], ids=["function", "None", "str", "object"])
def test_something_that_is_no_observer_is_refused_with_what_was_given(other):
    with pytest.raises(TypeError) as caught:
        Observers([Observer(), other])
    assert str(caught.value) == f"an observer must be an instance of Observer, not {other!r}"


def test_a_class_is_refused_with_a_hint_to_make_an_instance():
    with pytest.raises(TypeError, match=r"not <class '.*Broken'>; attach an instance of it"):
        Observers([Broken])  # type: ignore[list-item]


def test_a_coroutine_function_is_refused_because_nobody_would_await_it():
    class Awaiting(Observer):
        async def request_started(self, request: Any) -> None: ...  # type: ignore[override]

    with pytest.raises(TypeError, match=r"Awaiting\.request_started is a coroutine function"):
        Observers([Awaiting()])


def test_the_attached_observers_can_be_attached_again_with_another():
    first, second = Recorder(), Recorder()
    observers = Observers((*Observers([first]).attached, second))
    assert observers.attached == (first, second)
    emit(observers, "client_gone", "request")
    assert first.heard == second.heard == [("client_gone", "request")]


def test_observers_say_who_they_are():
    assert repr(Observers([Broken(), Recorder()])) == "<Observers Broken, Recorder>"
    assert repr(NO_OBSERVERS) == "<Observers none>"
    assert not hasattr(NO_OBSERVERS, "__dict__")
