"""Lists that check what comes in and freeze, and signals that call what is in them."""

from __future__ import annotations

import types
from collections.abc import Callable
from typing import Any

import pytest

from aioweb.web.signals import FreezableList, Signal


class Numbers(FreezableList[int]):
    def check(self, item: int) -> None:
        if not isinstance(item, int):
            raise TypeError(f"{item!r} is no number")


def test_it_is_a_list() -> None:
    numbers = Numbers([3, 1])
    numbers.append(2)
    numbers.insert(0, 4)
    numbers.extend([5, 6])
    numbers += [7]
    assert numbers == [4, 3, 1, 2, 5, 6, 7]
    numbers.sort(reverse=True)
    numbers.reverse()
    numbers.remove(4)
    assert (numbers.pop(), numbers.pop(0)) == (7, 1)
    numbers[0] = 9
    numbers[1:] = [8, 8]
    del numbers[1:2]
    assert numbers == [9, 8]
    numbers.clear()
    assert numbers == []


ADDITIONS: list[Callable[[Any], Any]] = [
    lambda numbers: numbers.append(1),
    lambda numbers: numbers.insert(0, 1),
    lambda numbers: numbers.extend([1]),
    lambda numbers: numbers.__iadd__([1]),
    lambda numbers: numbers.__setitem__(0, 1),
    lambda numbers: numbers.__setitem__(slice(None), [1]),
]
CHANGES: list[Callable[[Any], Any]] = [
    *ADDITIONS,
    lambda numbers: numbers.__imul__(2),
    lambda numbers: numbers.__delitem__(0),
    lambda numbers: numbers.pop(),
    lambda numbers: numbers.remove(1),
    lambda numbers: numbers.clear(),
    lambda numbers: numbers.reverse(),
    lambda numbers: numbers.sort(),
]


@pytest.mark.parametrize("change", CHANGES)
def test_a_frozen_list_cannot_be_changed(change: Callable[[Any], Any]) -> None:
    numbers = Numbers([1, 2], "list of numbers")
    assert not numbers.frozen
    numbers.freeze()
    assert numbers.frozen
    with pytest.raises(RuntimeError, match="the list of numbers cannot be changed: the application has started"):
        change(numbers)
    assert numbers == [1, 2]


def test_every_way_to_change_a_list_is_covered() -> None:
    in_place = {"__setitem__", "__delitem__", "__iadd__", "__imul__"}
    ways = {name for name in vars(list) if not name.startswith("__")} - {"copy", "count", "index"} | in_place
    assert ways <= vars(FreezableList).keys()


@pytest.mark.parametrize("change", ADDITIONS)
def test_what_does_not_belong_is_refused(change: Callable[[Any], Any]) -> None:
    class Nothing(FreezableList[int]):
        def check(self, item: int) -> None:
            if item != 5:
                raise TypeError

    numbers = Nothing([5])
    with pytest.raises(TypeError):
        change(numbers)
    assert numbers == [5]


class App:
    """The owner of a signal."""


async def test_a_signal_calls_its_receivers_in_order_and_awaits_what_can_be_awaited() -> None:
    calls: list[Any] = []
    signal: Signal[Any] = Signal(App(), "on_test")

    async def coroutine(*args: Any, **kwargs: Any) -> None:
        calls.append(("coroutine", args, kwargs))

    @types.coroutine
    def generator(*args: Any, **kwargs: Any) -> Any:
        yield
        calls.append(("generator", args, kwargs))

    signal.append(lambda *args, **kwargs: calls.append(("plain", args, kwargs)))
    assert signal(coroutine) is coroutine
    signal.append(generator)
    await signal.send(1, two=2)
    assert calls == [(name, (1,), {"two": 2}) for name in ("plain", "coroutine", "generator")]


async def test_the_first_error_ends_it() -> None:
    calls: list[int] = []

    def fail() -> None:
        raise RuntimeError("first")

    signal: Signal[Any] = Signal(App(), "on_test")
    signal.extend([lambda: calls.append(1), fail, lambda: calls.append(3)])
    with pytest.raises(RuntimeError, match="first"):
        await signal.send()
    assert calls == [1]


def test_a_receiver_must_be_callable_and_the_signal_names_itself() -> None:
    signal: Signal[Any] = Signal(App(), "on_test")
    with pytest.raises(TypeError, match="a receiver of on_test must be callable, not None"):
        signal.append(None)
    assert repr(signal) == "<Signal on_test of App: []>"
    signal.freeze()
    with pytest.raises(RuntimeError, match="signal on_test"):
        signal.append(print)
