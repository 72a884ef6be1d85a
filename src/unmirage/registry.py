"""Names of methods, judges, data formats, suites and rewriters: built in, registered at run time, or of other packages.

A package makes its own available by an entry point, such as

    [project.entry-points."unmirage.judges"]
    mine = "my_package.judges:make_mine"

which is imported when the name is used for the first time. A package that cannot be imported is reported by name, and
does not keep others from working.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, MutableMapping
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Generic, TypeVar

from unmirage.errors import UserError, one_line, unknown

log = logging.getLogger(__name__)
Entry = TypeVar("Entry")


class Registry(MutableMapping[str, Entry], Generic[Entry]):
    """What users can name of one kind.

    Args:
        kind: what the names stand for, such as "judge", for messages.
        group: the entry-point group of other packages.
        builtin: what is there without them; a built-in name cannot be taken over by an entry point.
    """

    def __init__(self, kind: str, group: str, builtin: Mapping[str, Entry]) -> None:
        self.kind = kind
        self.group = group
        self._known = dict(builtin)
        self._others: dict[str, EntryPoint] | None = None

    def find(self, name: str) -> Entry:
        """Return what a name stands for.

        Raises:
            UserError: no such name, or the package that has it cannot be imported.
        """
        if name in self._known:
            return self._known[name]
        point = self._points().get(name)
        if point is None:
            raise unknown(self.kind, name, self)
        try:
            self._known[name] = point.load()
        except Exception as error:  # whatever the import of somebody else's code raises
            raise UserError(
                f"{self.kind} '{name}' of the package {_package(point)} cannot be imported "
                f"({type(error).__name__}: {one_line(error, 200)}). Repair or uninstall that package"
            ) from error
        return self._known[name]

    def usable(self) -> Iterator[tuple[str, Entry]]:
        """Yield every name with what it stands for; packages that cannot be imported are logged and left out."""
        for name in self:
            try:
                yield name, self.find(name)
            except UserError as error:
                log.warning("%s", error)

    def __getitem__(self, name: str) -> Entry:
        if name not in self:
            raise KeyError(name)
        return self.find(name)

    def __setitem__(self, name: str, entry: Entry) -> None:
        self._known[name] = entry

    def __delitem__(self, name: str) -> None:
        del self._known[name]

    def __contains__(self, name: object) -> bool:
        return name in self._known or name in self._points()

    def __iter__(self) -> Iterator[str]:
        yield from list(self._known)
        yield from [name for name in self._points() if name not in self._known]

    def __len__(self) -> int:
        return len({*self._known, *self._points()})

    def _points(self) -> dict[str, EntryPoint]:
        if self._others is None:
            self._others = {}
            for point in entry_points(group=self.group):
                if point.name in self._known:
                    log.warning("%s '%s' of the package %s is ignored: the name is taken", self.kind, *_origin(point))
                elif (first := self._others.setdefault(point.name, point)).value != point.value:
                    log.warning(
                        "%s '%s' of the package %s is ignored: %s has the same name",
                        self.kind, *_origin(point), _package(first),
                    )  # fmt: skip
        return self._others


def _origin(point: EntryPoint) -> tuple[str, str]:
    return point.name, _package(point)


def _package(point: EntryPoint) -> str:
    dist: Any = point.dist
    return f"{dist.name} {dist.version}" if dist is not None else point.value
