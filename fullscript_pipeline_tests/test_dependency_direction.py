"""Who may import whom (docs/architecture.md, "Rooms"): one way, through the face of a room, and without circles."""

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "fullscript_pipeline"
ROOT = "fullscript_pipeline"
SHARED = {
    "errors",
    "clock",
    "settings",
    "loopback",
    "secret_variables",
    "plural",
    "job_names",
    "json_lines",
    "event_types",
    "machine_errors",
    "process_identity",
    "acting_user",
}
SHARED |= {
    "duckdb_memory",
    "ids",
    "json_text",
    "decompression",
    "private_files",
    "atomic_files",
    "trusted_files",
    "file_names",
    "typed_rows",
    "spreadsheet_text",
}
SHARED |= {"encryption", "regions", "servers", "resources"}
MAY_IMPORT: dict[str, set[str]] = {
    "sandbox": set(),
    "settings": SHARED,
    "encryption": SHARED,
    "files": SHARED,
    "resources": {"regions", "servers", "ids"},
    "api": SHARED,
    "state": SHARED | {"api"},
    "probe": SHARED | {"api"},
    "warehouse": SHARED | {"files"},
    "adherence": SHARED,
    "catalog": SHARED,
    "reports": SHARED | {"files", "catalog", "adherence"},
    "extraction": SHARED | {"api", "state", "warehouse"},
    "webhooks": SHARED | {"state"},
    "ui_access": SHARED | {"files"},
    "portal_store": SHARED,
    "web": SHARED | {"api", "files", "portal_store"},
    "refresh": SHARED | {"api", "state", "warehouse", "extraction"},
    "health": SHARED | {"api", "files", "state", "warehouse", "refresh", "probe"},
    "maintenance": SHARED
    | {"api", "files", "state", "warehouse", "adherence", "catalog", "reports", "extraction", "portal_store"},
}
# Inside a room: which sub-room may import which. A sub-room may always import the modules beside the sub-rooms.
WITHIN: dict[str, dict[str, set[str]]] = {
    "extraction": {
        "event_proof": set(),
        "engine": {"event_proof"},
        "pulls": {"engine", "event_proof"},
        "request_estimate": {"pulls", "engine"},
    },
    "warehouse": {
        "schema": set(),
        "files": set(),
        "event_log": {"schema", "loading"},
        "loading": {"schema"},
        "upgrades": {"loading", "schema"},
        "publishing": {"schema"},
        "personal_data": {"files"},
    },
    "orchestration": {
        "runtime": set(),
        "assets": {"runtime"},
        "checks": {"assets", "runtime"},
        "automation": {"assets", "checks", "runtime"},
    },
    "state": {"audit": set()},
    "resources": {"types": set()},
    "reports": {"clinic_pages": set()},
}
# Rooms whose modules are entry points of a process, imported one by one when they are needed.
ENTRY_POINTS = {"cli", "sandbox"}
# Each module of resources is a resource, imported by its name: a new one needs no entry in a face.
WITHOUT_A_FACE = {f"{ROOT}.resources"}
SANDBOX_ENTRIES = {"behaviour_switches", "client", "errors", "server"}

FILES = {
    ".".join((ROOT, *path.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
}
ROOMS = {name for name, path in FILES.items() if path.name == "__init__.py"}
SUB_ROOMS = sorted((room, sub) for room, subs in WITHIN.items() for sub in subs)


def imports(name: str) -> Iterator[str]:
    """The modules and rooms of the package that a module imports, anywhere in it and for typing too."""
    for node in ast.walk(ast.parse(FILES[name].read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == ROOT:
            inside = {f"{node.module}.{alias.name}" for alias in node.names}
            yield from sorted(inside & FILES.keys())
            if inside - FILES.keys():
                yield node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in FILES)


def imports_of_dagster(name: str) -> bool:
    tree = ast.parse(FILES[name].read_text(encoding="utf-8"))
    named = [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    named += [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    return any(module.split(".")[0].startswith("dagster") for module in named)


def room_of(name: str) -> str:
    """The room that a module is in; a room is in itself."""
    return name if name in ROOMS else name.rsplit(".", 1)[0]


def is_inside(name: str, room: str) -> bool:
    return name == room or name.startswith(f"{room}.")


@pytest.mark.parametrize("room", sorted(MAY_IMPORT))
def test_a_room_imports_only_what_lies_below_it(room: str) -> None:
    allowed = MAY_IMPORT[room] | {room}
    for name in FILES:
        if is_inside(name, f"{ROOT}.{room}"):
            assert not imports_of_dagster(name), f"{name} knows Dagster"
            for other in imports(name):
                assert other == ROOT or other.split(".")[1] in allowed, f"{name} imports {other}"


@pytest.mark.parametrize(("room", "sub_room"), SUB_ROOMS)
def test_a_sub_room_imports_only_what_lies_below_it(room: str, sub_room: str) -> None:
    allowed = WITHIN[room][sub_room] | {sub_room}
    for name in FILES:
        if is_inside(name, f"{ROOT}.{room}.{sub_room}"):
            for other in imports(name):
                parts = other.split(".")
                if parts[1:2] == [room] and len(parts) > 2 and parts[2] in WITHIN[room]:
                    assert parts[2] in allowed, f"{name} imports {other}"


def test_every_sub_room_has_its_place() -> None:
    deep = {tuple(name.split(".")[1:3]) for name in ROOMS if name.count(".") == 2}
    assert {(room, sub) for room, sub in deep if room in WITHIN} == set(SUB_ROOMS)


@pytest.mark.parametrize("name", sorted(FILES))
def test_an_import_from_outside_goes_through_the_face(name: str) -> None:
    for other in imports(name):
        room = room_of(other)
        if room == ROOT or is_inside(name, room) or room.split(".")[1] in ENTRY_POINTS:
            continue
        if room in WITHOUT_A_FACE:
            continue
        face = set(_exported(room))
        assert other == room or other.rsplit(".", 1)[1] in face, f"{name} imports {other}: past the face of {room}"


def test_only_the_entries_of_the_sandbox_are_used() -> None:
    for name in FILES:
        if not is_inside(name, f"{ROOT}.sandbox"):
            for other in imports(name):
                if is_inside(other, f"{ROOT}.sandbox"):
                    assert other.split(".")[2] in SANDBOX_ENTRIES, f"{name} imports {other}"


def _exported(room: str) -> list[str]:
    for node in ast.parse(FILES[room].read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and any(isinstance(to, ast.Name) and to.id == "__all__" for to in node.targets):
            return list(ast.literal_eval(node.value))
    return []


def test_there_are_no_circles() -> None:
    """Among modules, faces included, at run time and for typing."""
    try:
        TopologicalSorter({name: set(imports(name)) - {name} for name in FILES}).prepare()
    except CycleError as circle:
        pytest.fail(" -> ".join(circle.args[1]))


def test_no_module_shadows_a_dependency() -> None:
    assert not {path.stem for path in PACKAGE.iterdir()} & {"gql", "dagster", "duckdb", "httpx", "pandas"}
