"""Names of methods, judges, data formats, suites and rewriters: built in, registered at run time, or of other packages.

A package makes its own available by an entry point, such as

    [project.entry-points."unmirage.judges"]
    mine = "my_package.judges:make_mine"

which is imported when the name is used for the first time. Every failure in the code of such a package becomes one
line that names it, and does not keep other names from working.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from functools import partial
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Generic, TypeVar, cast

from unmirage.errors import UserError, one_line, unknown

log = logging.getLogger(__name__)
Entry = TypeVar("Entry")
Made = TypeVar("Made")


class InvalidError(Exception):
    """What is wrong with an object that plugin code provides."""


def has(valid: str, kind: Any = object, **attributes: Any) -> Callable[[Any], None]:
    """Return a check that an object has a type, and attributes of some types; it raises `InvalidError`.

    Args:
        valid: describes valid objects in the message.
    """

    def check(thing: Any) -> None:
        if thing is None or not isinstance(thing, kind):
            raise InvalidError(f"got {_type(thing)}; valid: {valid}")
        if wrong := [name for name, one in attributes.items() if not isinstance(getattr(thing, name, None), one)]:
            raise InvalidError(f"{_type(thing)} has no valid {', '.join(wrong)}; valid: {valid}")

    return check


def _type(thing: Any) -> str:
    return "None" if thing is None else f"an object of type {type(thing).__name__}"


class Registry(MutableMapping[str, Entry], Generic[Entry]):
    """What users can name of one kind.

    Args:
        kind: what the names stand for, such as "judge", for messages.
        group: the entry-point group of other packages.
        builtin: what is there without them; a built-in name cannot be taken over by an entry point.
        check: raises `InvalidError` if an entry is not valid.
        made: raises `InvalidError` if what an entry creates is not valid.
        results: method name -> function of its result and arguments, which returns the result or raises `InvalidError`.
    """

    def __init__(
        self,
        kind: str,
        group: str,
        builtin: Mapping[str, Entry],
        check: Callable[[Any], None],
        *,
        made: Callable[[Any], None] | None = None,
        results: Mapping[str, Callable[..., Any]] | None = None,
    ) -> None:
        self.kind = kind
        self.group = group
        self._builtin = builtin
        self._known = dict(builtin)
        self._check, self._made, self._results = check, made, results or {}
        self._others: dict[str, EntryPoint] | None = None
        self._warned: set[str] = set()

    def find(self, name: str) -> Entry:
        """Return what a name stands for.

        Raises:
            UserError: no such name, or the package that has it cannot be imported or provides something else.
        """
        if name not in self._known:
            point = self._points().get(name)
            if point is None:
                raise unknown(self.kind, name, self)
            with self.running(name, "cannot be imported"):
                self._known[name] = point.load()
        with self.running(name, "is not valid"):
            self._check(self._known[name])
        return self._known[name]

    def create(self, name: str, make: Callable[[], Made]) -> Made:
        """Return what `make` creates, checked and guarded. `make` runs the code of the entry `name`."""
        with self.running(name, "cannot be created"):
            made = make()
            if isinstance(made, type):
                raise InvalidError(f"got the class {made.__name__}; valid: an instance")
            if self._made is not None:
                self._made(made)
        return self.guarded(name, made)

    def each(self, use: Callable[[Entry], Made]) -> Iterator[tuple[str, Made]]:
        """Yield every name with what `use` returns for its entry; failing entries are left out, with one warning."""
        for name in self:
            try:
                used = use(self.guarded(name, self.find(name)))
            except UserError as error:
                if name not in self._warned:
                    log.warning("%s", error)
                self._warned.add(name)
            else:
                yield name, used

    def guarded(self, name: str, thing: Made) -> Made:
        """Return an object of the entry `name` so that errors in its methods name the entry; built-in ones as is."""
        return thing if self._is_builtin(name) else cast(Made, _Guarded(thing, self, name))

    @contextmanager
    def running(self, name: str, what: str, passing: tuple[type[Exception], ...] = ()) -> Iterator[None]:
        """Raise `UserError` for an error in code of the entry `name`, unless the entry is built in.

        Args:
            what: what failed, such as "cannot be imported".
            passing: errors that pass unchanged, besides `UserError` and exhausted memory.
        """
        try:
            yield
        except Exception as error:
            # The name, because torch is not imported here.
            memory = isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"
            if memory or isinstance(error, (UserError, *passing)) or self._is_builtin(name):
                raise
            point = self._points().get(name)
            origin = f" of the package {_package(point)}" if point else ""
            advice = "uninstall that package" if point else "omit it"
            raised = "" if isinstance(error, InvalidError) else f"{type(error).__name__}: "
            problem = f"({raised}{one_line(error, 200)})"
            raise UserError(f"{self.kind} '{name}'{origin} {what} {problem}. Repair or {advice}") from error

    def call(self, name: str, method: str, function: Callable[..., Any], *args: Any, **options: Any) -> Any:
        """Return the checked result of a method of the entry `name`; items of an iterator are guarded too."""
        with self.running(name, what := f"failed in {method}()"):
            found = function(*args, **options)
            if method in self._results:
                found = self._results[method](found, *args, **options)
        return self._items(name, what, found) if isinstance(found, Iterator) else found

    def _items(self, name: str, what: str, found: Iterator[Any]) -> Iterator[Any]:
        with self.running(name, what):
            yield from found

    def _is_builtin(self, name: str) -> bool:
        return name in self._builtin and self._known.get(name) is self._builtin[name]

    def __getitem__(self, name: str) -> Entry:
        if name not in self:
            raise KeyError(name)
        return self.find(name)

    def __setitem__(self, name: str, entry: Entry) -> None:
        self._points().pop(name, None)
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


class _Guarded:
    """An object of a plugin; see `Registry.guarded`. It is an instance of the class of that object."""

    __slots__ = ("_name", "_registry", "_thing")

    def __init__(self, thing: Any, registry: Registry[Any], name: str) -> None:
        for slot, value in (("_thing", thing), ("_registry", registry), ("_name", name)):
            object.__setattr__(self, slot, value)

    @property
    def __class__(self) -> Any:
        return type(self._thing)

    @__class__.setter
    def __class__(self, value: Any) -> None:
        raise AttributeError("__class__")

    def __getattr__(self, attribute: str) -> Any:
        if attribute in _Guarded.__slots__:  # not set yet, in a copy
            raise AttributeError(attribute)
        with self._registry.running(self._name, f"failed in {attribute}", (AttributeError,)):
            value = getattr(self._thing, attribute)
        return partial(self._registry.call, self._name, attribute, value) if callable(value) else value

    def __setattr__(self, attribute: str, value: Any) -> None:
        setattr(self._thing, attribute, value)


def _origin(point: EntryPoint) -> tuple[str, str]:
    return point.name, _package(point)


def _package(point: EntryPoint) -> str:
    dist: Any = point.dist
    return f"{dist.name} {dist.version}" if dist is not None else point.value
