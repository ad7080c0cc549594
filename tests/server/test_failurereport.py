"""What is read of an exception: chains, groups, frames, variables; always text, always bounded, never an exception."""

from __future__ import annotations

import builtins
import sys
from collections.abc import Callable
from typing import Any

import pytest

from aioweb.server.failurereport import Failure, report_failures, show


class BrokenError(Exception):
    """Nothing of it can be asked for."""

    def __str__(self) -> str:
        raise ZeroDivisionError

    @property
    def exceptions(self) -> list[Exception]:
        raise LookupError


class SeveralErrors(Exception):
    """A group of its own kind."""

    def __init__(self, *exceptions: BaseException) -> None:
        super().__init__("several")
        self.exceptions = list(exceptions)


class Silent:
    def __repr__(self) -> str:
        raise RuntimeError("no")


class Wrong:
    def __repr__(self) -> str:
        return 7  # type: ignore[return-value]


def report(function: Callable[[], object]) -> list[Failure]:
    with pytest.raises(BaseException) as caught:
        function()
    return report_failures(caught.value)


def variables(value: Any) -> dict[str, str]:
    def fail() -> None:
        kept = value
        raise ValueError(kept)

    return dict(report(fail)[0].frames[-1].variables)


def test_a_failure_has_its_name_its_message_and_its_frames_outermost_first() -> None:
    def inner() -> None:
        raise LookupError("why")

    [failure] = report(lambda: inner())
    assert str(failure) == "LookupError: why"
    assert (failure.relation, failure.notes, failure.left_out) == ("", [], 0)
    assert [frame.function.rpartition(".")[2] for frame in failure.frames][-2:] == ["<lambda>", "inner"]
    frame = failure.frames[-1]
    assert frame.file == __file__
    assert frame.is_application
    assert frame.text == 'raise LookupError("why")'
    assert frame.line in dict(frame.source)
    assert len(frame.source) == 9


def test_an_exception_of_a_package_is_named_with_its_module() -> None:
    assert report_failures(BrokenError())[0].name.endswith("test_failurereport.BrokenError")


def test_a_chain_is_told_from_its_last_exception_to_its_first() -> None:
    def fail() -> None:
        try:
            try:
                raise KeyError("first")
            except KeyError as error:
                raise ValueError("second") from error
        except ValueError:
            raise RuntimeError("third")

    assert [(failure.relation, failure.name) for failure in report(fail)] == [
        ("", "RuntimeError"),
        ("context", "ValueError"),
        ("cause", "KeyError"),
    ]


def test_what_is_raised_from_none_hides_its_context() -> None:
    def fail() -> None:
        try:
            raise KeyError("first")
        except KeyError:
            raise ValueError("second") from None

    assert [failure.name for failure in report(fail)] == ["ValueError"]


def test_a_chain_that_bites_its_tail_ends() -> None:
    first, second = ValueError("a"), ValueError("b")
    first.__cause__, second.__cause__ = second, first
    assert [failure.message for failure in report_failures(first)] == ["a", "b"]


def test_members_of_a_group_follow_it() -> None:
    group = SeveralErrors(ValueError("a"), SeveralErrors(KeyError("b")), LookupError("c"))
    assert [(failure.relation, failure.name.rpartition(".")[2]) for failure in report_failures(group)] == [
        ("", "SeveralErrors"),
        ("member 1 of 3", "ValueError"),
        ("member 2 of 3", "SeveralErrors"),
        ("member 1 of 1", "KeyError"),
        ("member 3 of 3", "LookupError"),
    ]


def test_what_is_no_exception_is_no_member() -> None:
    group = SeveralErrors(ValueError("a"), "b", KeyError("c"))  # type: ignore[arg-type]
    assert [failure.relation for failure in report_failures(group)] == ["", "member 1 of 3", "member 3 of 3"]


@pytest.mark.skipif(sys.version_info < (3, 11), reason="groups and notes are of Python 3.11")
def test_the_groups_and_notes_of_python_are_read() -> None:
    group = builtins.ExceptionGroup("both", [ValueError("a"), KeyError("b")])
    group.add_note("seen at noon")
    failures = report_failures(group)
    assert failures[0].notes == ["seen at noon"]
    assert [failure.name for failure in failures] == ["ExceptionGroup", "ValueError", "KeyError"]


def test_a_broken_exception_is_reported_too() -> None:
    [failure] = report_failures(BrokenError())
    assert failure.message == "<its text cannot be made: ZeroDivisionError>"
    error = ValueError("a")
    vars(error)["__notes__"] = ["a note", Silent()]
    assert report_failures(error)[0].notes == ["a note", "<its text cannot be made: RuntimeError>"]
    vars(error)["__notes__"] = 7
    assert report_failures(error)[0].notes == []


def test_many_and_large_things_are_cut() -> None:
    def deep(depth: int) -> None:
        if depth == 0:
            raise ValueError("x" * 100_000)
        deep(depth - 1)

    [failure] = report(lambda: deep(200))
    assert len(failure.frames) == 40
    assert failure.left_out > 150
    assert len(failure.message) < 5000
    assert len(report_failures(SeveralErrors(*[ValueError() for _ in range(1000)]))) == 10


def test_a_frame_without_source_has_no_lines() -> None:
    [failure] = report(lambda: exec(compile("1 / 0", "<made>", "exec")))
    assert (failure.frames[-1].source, failure.frames[-1].text) == ([], "")
    assert not failure.frames[-1].is_application


def test_a_loader_that_fails_leaves_no_lines() -> None:
    class Loader:
        def get_source(self, name: str) -> str:
            raise RuntimeError("no source today")

    names = {"__loader__": Loader(), "__name__": "made"}
    [failure] = report(lambda: exec(compile("1 / 0", "nowhere.py", "exec"), names))
    assert failure.frames[-1].source == []


def test_the_standard_library_is_no_application() -> None:
    import json

    [failure] = report(lambda: json.loads("{"))
    assert [frame.is_application for frame in failure.frames][-2:] == [False, False]


def test_variables_are_shown_by_their_reprs() -> None:
    assert variables([1, "a", {"b": b"c"}])["kept"] == "[1, 'a', {'b': b'c'}]"


@pytest.mark.parametrize("value", [Silent(), [Silent()], {"a": Silent()}, {Silent(): 1}, Wrong(), [10**5000]])
def test_a_repr_that_fails_is_said_to_do_so(value: Any) -> None:
    shown = variables(value)["kept"]
    assert "its repr raises" in shown or (isinstance(value, list) and "..." in shown)


class Own:
    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return self.text


@pytest.mark.parametrize(
    "value",
    [
        "a" * 10_000_000,
        b"a" * 10_000_000,
        bytearray(10_000_000),
        ["a" * 1000] * 10_000,
        {number: ["a" * 1000] * 100 for number in range(1000)},
        Own("a" * 1_000_000),
        [[[[[[["deep"]]]]]]],
        {1: {2: {3: {4: {5: "deep"}}}}},
    ],
)
def test_a_long_repr_is_cut(value: Any) -> None:
    shown = show(value)
    assert len(shown) < 2100
    assert "..." in shown


@pytest.mark.parametrize(
    "value",
    [
        {"password": "hunter2"},
        {"a": [{"api_key": "hunter2"}]},
        {b"authorization": b"Basic hunter2"},
        [("token", "hunter2")],
        "user=joe&password=hunter2",
        b"user=joe&password=hunter2",
        Own("Settings(db_password='hunter2')"),
        Own("x" * 280 + "password='" + "a" * 5 + "hunter2'"),
        "x" * 280 + "password='" + "a" * 5 + "hunter2'",
    ],
)
def test_a_secret_within_a_value_is_masked(value: Any) -> None:
    assert "hunter2" not in show(value)


def test_a_variable_with_the_name_of_a_secret_is_masked_whole() -> None:
    def fail() -> None:
        password = token = "hunter2"  # noqa: F841
        plain = 1  # noqa: F841
        raise ValueError("bad token=hunter2")

    [failure] = report(fail)
    assert dict(failure.frames[-1].variables) == {"password": "***", "token": "***", "plain": "1"}
    assert failure.message == "bad token=***"
    assert "hunter2" not in "".join(text for _, text in failure.frames[-1].source if "password" in text)
