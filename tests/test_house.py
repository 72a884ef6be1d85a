"""The rules of the house: which room may import which, who opens pictures, and how long a file may be."""

import ast
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import unmirage

SOURCE = Path(unmirage.__file__).parent
MODULES = {path.relative_to(SOURCE).as_posix(): path.read_text("utf-8") for path in SOURCE.rglob("*.py")}
FILES = {
    f"unmirage.{name}".removesuffix(".py").replace("/", ".").removesuffix(".__init__"): text
    for name, text in MODULES.items()
}

# From the ground up. A room imports itself and those below it in the house, that is, before it in this list.
ROOMS = (
    "errors", "imports", "registry", "records", "intervals", "text", "run", "documents", "data", "audit", "models",
    "attack", "align", "evaluate", "prepare", "report", "bridges", "workflows", "api", "testbed", "pretrained", "cli",
)  # fmt: skip
NARROWER = {
    "errors": set(),
    "imports": set(),
    "records": {"errors"},
    "intervals": {"records"},
    "text": {"errors", "records"},
    "run": {"errors", "records"},
    "registry": {"errors"},
    "documents": {"errors", "text", "run"},
    "data": {"errors", "registry", "records", "text", "run", "documents"},
}
PICTURES = {
    "data/images.py",  # opens them
    "data/pixels.py",  # converts them
    "testbed/pictures.py",  # makes them
    "testbed/corpus.py",
    "models/conversation.py",  # names the type
    "report/examples.py",  # writes PNG
}
LONGEST = 350


def room(name):
    return name.split("/")[0].removesuffix(".py")


def imports(text):
    """Return every module that `text` imports, inside functions and for type checking too."""
    found = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found += [f"{node.module}.{alias.name}" for alias in node.names]
    return found


def rooms(text):
    """Return the rooms of ours that `text` imports."""
    return {parts[1] for parts in (name.split(".") for name in imports(text)) if parts[0] == "unmirage" and parts[1:]}


def allowed(own):
    """Return the rooms that `own` may import beside itself."""
    if own in NARROWER:
        return NARROWER[own]
    callers = {"testbed": {"pretrained", "cli"}, "pretrained": {"cli"}, "report": {"api", "cli"}}
    return {room for room in ROOMS[: ROOMS.index(own)] if own in callers.get(room, {own})}


def test_every_module_lives_in_a_known_room():
    assert {room(name) for name in MODULES} - {"__init__", "__main__"} == set(ROOMS)


@pytest.mark.parametrize("own", ROOMS)
def test_a_room_imports_only_rooms_above_it(own):
    found = {name: rooms(text) - {own} - allowed(own) for name, text in MODULES.items() if room(name) == own}
    assert {name: below for name, below in found.items() if below} == {}


def test_importing_the_package_loads_nothing_heavy():
    code = "import sys, unmirage; print(*sorted({'torch', 'scipy', 'numpy', 'pydantic'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "\n"


def test_only_the_entry_point_imports_the_command_line_and_only_that_the_testbed():
    importers = {
        target: {room(name) for name, text in MODULES.items() if target in rooms(text)}
        for target in ("cli", "testbed", "report")
    }
    assert importers == {
        "cli": {"__main__", "cli"},
        "testbed": {"cli", "pretrained", "testbed"},
        "report": {"api", "cli", "report"},
    }


def test_imports_are_found_wherever_they_stand():
    text = (
        "import unmirage.data.load\n"
        "from unmirage import run\n"
        "if TYPE_CHECKING:\n    from unmirage.audit import AuditResult\n"
        "def f():\n    from unmirage.testbed.world import World\n"
        "'import unmirage.report'\n"
    )
    assert rooms(text) == {"data", "run", "audit", "testbed"}


def loaded_at_once(text):
    """Return the modules that importing `text` imports: not those in functions, nor those for type checking."""
    found, left = set(), list(ast.parse(text).body)
    while left:
        node = left.pop()
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            left += node.orelse
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {module if (module := f"{node.module}.{one.name}") in FILES else node.module for one in node.names}
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            left += [one for one in ast.iter_child_nodes(node) if isinstance(one, ast.stmt | ast.excepthandler)]
    return found & FILES.keys()


def test_no_modules_import_each_other():
    sorter = TopologicalSorter({name: loaded_at_once(text) for name, text in FILES.items()})
    sorter.prepare()  # raises CycleError with the cycle


def test_imports_at_once_leave_out_functions_and_type_checking():
    text = (
        "import unmirage.data.load\n"
        "from unmirage.run import Run, files\n"
        "try:\n    from unmirage.errors import UserError\nexcept ImportError:\n    pass\n"
        "if TYPE_CHECKING:\n    from unmirage.audit import AuditResult\n"
        "class A:\n    from unmirage.records import Query\n    def f(self):\n        import unmirage.testbed.world\n"
    )
    assert loaded_at_once(text) == {
        f"unmirage.{name}" for name in ("data.load", "run", "run.files", "errors", "records")
    }
    found = {"a": {"b"}, "b": {"c"}, "c": {"a"}}
    with pytest.raises(CycleError):
        TopologicalSorter(found).prepare()


def test_imports_name_the_package():
    relative = [
        name
        for name, text in MODULES.items()
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.ImportFrom) and node.level
    ]
    assert relative == []


def test_pictures_are_opened_in_one_place():
    using = {name for name, text in MODULES.items() if any(i.split(".")[0] == "PIL" for i in imports(text))}
    assert using <= PICTURES
    opening = {
        name
        for name, text in MODULES.items()
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Attribute) and node.attr == "open" and ast.unparse(node.value).endswith("Image")
    }
    assert opening == {"data/images.py"}


def test_no_module_needs_a_table_of_contents():
    assert {name: text.count("\n") for name, text in MODULES.items() if text.count("\n") > LONGEST} == {}
