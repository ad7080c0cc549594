"""State that handlers and middlewares keep on an object: typed keys, and a mapping whose storage the first write makes.

Everybody who only reads shares one empty storage, so state costs nothing until somebody uses it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar, overload

_T = TypeVar("_T")
_D = TypeVar("_D")

NO_STATE: Final[Mapping[Any, Any]] = MappingProxyType({})
"""The storage of everything that keeps nothing."""


class StateKey(Generic[_T]):
    """A typed key of some object's state.

    Two keys are different even if they have the same name. The type is for readers and type checkers only.
    """

    __slots__ = ("_name", "_type")

    def __init__(self, name: str, t: type[_T] | None = None) -> None:
        self._name = name
        self._type = t

    def __repr__(self) -> str:
        kind = "" if self._type is None else f", type={self._type.__qualname__}"
        return f"<{type(self).__name__}({self._name}{kind})>"


class ResponseKey(StateKey[_T]):
    """A typed key of the state of a response: `COUNT = ResponseKey("count", int)`, then `response[COUNT]`."""

    __slots__ = ()


if TYPE_CHECKING:
    _Methods = MutableMapping[Any, Any]
else:
    # What MutableMapping mixes in, without its metaclass: isinstance() against a class of ABCMeta costs several times
    # as much, and every response is asked what it is.
    _NAMES = ("__contains__", "get", "keys", "items", "values", "pop", "popitem", "clear", "update", "setdefault")
    _Methods = type("_Methods", (), {"__slots__": (), **{name: getattr(MutableMapping, name) for name in _NAMES}})


class StateMapping(_Methods):
    """Mixin: the object is a mutable mapping, keyed by str or by a typed key; always true, equal only to itself.

    A class with slots names `_state` among them and sets it to NO_STATE.
    """

    __slots__ = ()

    _state: Mapping[Any, Any] = NO_STATE

    @overload
    def __getitem__(self, key: StateKey[_T]) -> _T: ...

    @overload
    def __getitem__(self, key: Any) -> Any: ...

    def __getitem__(self, key: Any) -> Any:
        return self._state[key]

    # Narrower than what works: a key of any type would let every value pass under a typed key.
    @overload
    def __setitem__(self, key: StateKey[_T], value: _T) -> None: ...

    @overload
    def __setitem__(self, key: str, value: Any) -> None: ...

    def __setitem__(self, key: Any, value: Any) -> None:
        if not isinstance(self._state, dict):
            self._state = {}
        self._state[key] = value

    def __delitem__(self, key: Any) -> None:
        if not isinstance(self._state, dict):
            raise KeyError(key)
        del self._state[key]

    @overload
    def get(self, key: StateKey[_T], default: None = None, /) -> _T | None: ...

    @overload
    def get(self, key: StateKey[_T], default: _D, /) -> _T | _D: ...

    @overload
    def get(self, key: Any, default: Any = None, /) -> Any: ...

    def get(self, key: Any, default: Any = None, /) -> Any:
        """The value under `key`, or the default."""
        return self._state.get(key, default)

    def __len__(self) -> int:
        return len(self._state)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._state)

    def __bool__(self) -> bool:
        return True

    def __eq__(self, other: object) -> bool:
        return self is other

    __hash__ = object.__hash__


MutableMapping.register(StateMapping)
