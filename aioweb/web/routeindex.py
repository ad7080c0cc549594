"""The index of a router: which resources can answer a path, without asking all of them.

Two structures, made once from the finished table:

- a dict from every literal path to all resources that match it, also those with parts that were registered before;
- a tree of segments for the others. A segment with parts is a branch of its own where no part can hold a slash, so
  `/repos/{owner}/{repo}/issues` and `.../pulls` part at their last segment. What follows a part that can hold a slash
  is not looked at: such a resource, or a sub-application, stays open for all that is below.

The candidates come in the order of registration, and they are all of the table that can match: asking them one after
another gives what asking the whole table would give. Nothing grows with the requests: there is no cache.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from aioweb.web.routes import AbstractResource


class _Node:
    """Where paths with the same leading segments meet."""

    __slots__ = ("any", "ending", "literals", "open")

    def __init__(self) -> None:
        self.literals: Final[dict[str, _Node]] = {}
        """By the next segment."""
        self.any: _Node | None = None
        """Whatever the next segment is."""
        self.open: Final[list[AbstractResource]] = []
        """For paths that end here or go on."""
        self.ending: Final[list[AbstractResource]] = []
        """For paths that end here."""


class RouteIndex:
    """The index of these resources, which are given in their order."""

    def __init__(self, resources: Iterable[AbstractResource]) -> None:
        self._root = _Node()
        self._depth = 0
        self._positions: dict[AbstractResource, int] = {}
        self.needs_resolve = False
        """Some resource has to be awaited."""
        literals: dict[str, list[AbstractResource]] = {}
        for position, resource in enumerate(resources):
            self._positions[resource] = position
            self.needs_resolve = self.needs_resolve or resource.needs_resolve
            if resource.literal is None:
                self._insert(resource)
            else:
                literals.setdefault(resource.literal, []).append(resource)
        self._literals = {path: self._at_literal(path, here) for path, here in literals.items()}
        self.at_literal: Final = self._literals.get
        """The candidates for a path that is the literal of some resource; None for all other paths."""

    def _insert(self, resource: AbstractResource) -> None:
        segments, is_open = resource.lead
        self._depth = max(self._depth, len(segments))
        node = self._root
        for segment in segments:
            if segment is not None:
                node = node.literals.setdefault(segment, _Node())
            else:
                node.any = node.any or _Node()
                node = node.any
        (node.open if is_open else node.ending).append(resource)

    def _at_literal(self, path: str, here: list[AbstractResource]) -> tuple[AbstractResource, ...]:
        others = [resource for resource in self.candidates(path) if resource.reaches(path)]
        return tuple(sorted([*here, *others], key=self._positions.__getitem__)) if others else tuple(here)

    def candidates(self, path: str) -> Sequence[AbstractResource]:
        """The resources that can match a path in match form, those for a literal path left out."""
        node = self._root
        found: Sequence[AbstractResource] = ()
        # No path makes more work than the deepest template asks for.
        segments = path.split("/", self._depth + 1)[1:]
        for segment in segments:
            literal, branch = node.literals.get(segment), node.any
            if literal is not None and branch is not None:
                return self._collect(segments)
            if node.open:
                found = [*found, *node.open]
            node = literal or branch  # type: ignore[assignment]
            if node is None:
                break
        else:
            found = [*found, *node.open, *node.ending] if found or node.open else node.ending
        return found if len(found) < 2 else sorted(found, key=self._positions.__getitem__)

    def _collect(self, segments: list[str]) -> list[AbstractResource]:
        """The same where there is more than one way down."""
        found: list[AbstractResource] = []
        nodes = [self._root]
        for segment in segments:
            reached = []
            for node in nodes:
                found += node.open
                literal = node.literals.get(segment)
                if literal is not None:
                    reached.append(literal)
                if node.any is not None:
                    reached.append(node.any)
            nodes = reached
        for node in nodes:
            found += node.ending
            found += node.open
        found.sort(key=self._positions.__getitem__)
        return found
