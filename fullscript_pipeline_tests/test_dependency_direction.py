"""Who may import whom (docs/architecture.md, "Rooms"): one way, and only `orchestration` and `cli` know everybody."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "fullscript_pipeline"
SHARED = {"errors", "clock", "settings", "environment", "plural", "event_types", "machine_errors", "process_identity"}
SHARED |= {"duckdb_memory", "ids", "json_text", "decompression", "private_files", "atomic_files", "trusted_files"}
SHARED |= {"encryption"}
MAY_IMPORT = {
    "sandbox": set(),
    "api": SHARED,
    "state": SHARED | {"api"},
    "warehouse": SHARED,
    "adherence": SHARED,
    "catalog": SHARED,
    "reports": SHARED | {"catalog", "adherence"},
    "extraction": SHARED | {"api", "state", "warehouse"},
    "webhooks": SHARED | {"state"},
    "ui_access": SHARED,
    "refresh": SHARED | {"api", "state", "warehouse", "extraction"},
    "health": SHARED | {"api", "state", "warehouse", "refresh"},
    "maintenance": SHARED | {"api", "state", "warehouse", "adherence", "reports", "extraction"},
}
# Rooms that others may use through their public names (`from fullscript_pipeline.api import ...`) only.
CLOSED = {"api": {"response_parsing"}, "state": set(), "sandbox": {"client", "errors", "server"}}


def imports(file: Path) -> set[str]:
    """Every module name that a file imports."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    return names


@pytest.mark.parametrize("room", sorted(MAY_IMPORT))
def test_a_room_imports_only_what_lies_below_it(room: str) -> None:
    allowed = MAY_IMPORT[room] | {room}
    for file in (PACKAGE / room).rglob("*.py"):
        for name in imports(file):
            assert not name.startswith("dagster"), f"{file.name} knows Dagster"
            if name.startswith("fullscript_pipeline."):
                assert name.split(".")[1] in allowed, f"{room}/{file.name} imports {name}"


@pytest.mark.parametrize("room", ["state", "extraction", "refresh", "warehouse", "webhooks"])
def test_the_insides_of_api_and_state_stay_inside(room: str) -> None:
    for file in (PACKAGE / room).rglob("*.py"):
        for name in imports(file):
            parts = name.split(".")
            if parts[0] == "fullscript_pipeline" and len(parts) > 2 and parts[1] in CLOSED and parts[1] != room:
                assert parts[2] in CLOSED[parts[1]], f"{room}/{file.name} reaches into {name}"


def test_no_module_shadows_a_dependency() -> None:
    assert not {path.stem for path in PACKAGE.iterdir()} & {"gql", "dagster", "duckdb", "httpx", "pandas"}
