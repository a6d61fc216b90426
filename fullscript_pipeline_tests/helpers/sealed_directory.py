"""A data directory that holds something of every kind that is sealed, and what of it a key opens; without a server.

What does not belong here: assertions.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from fullscript_pipeline.api import ClinicRef, Grant
from fullscript_pipeline.errors import PipelineError
from fullscript_pipeline.maintenance.backup import back_up
from fullscript_pipeline.settings import Settings, load_settings
from fullscript_pipeline.state import Delivery, StateStore
from fullscript_pipeline.warehouse.connection import Warehouse
from fullscript_pipeline.warehouse.files import reencryption
from fullscript_pipeline.warehouse.files.frame_file import FrameFile
from fullscript_pipeline.warehouse.landing import Request, make_line
from fullscript_pipeline.warehouse.publishing.publish import publish

OLD = "Lw4tq0v9-eVb2m_xJ7Rz1cYd8KpH5sNu3gQa6TfWi0E="
NEW = "k2Jr8uYw1nTq5vXz7mBd4sLh9pGf3cAe6oRi0xVtZyQ"
CLINIC = ClinicRef(server="us-snd", clinic_id="c-1", clinic_key="maple", region="us")


@dataclass(frozen=True)
class Contents:
    """What a key opens, by kind; a kind that it does not open is a sentence."""

    found: Mapping[str, object]

    @property
    def opened(self) -> set[str]:
        return {kind for kind, content in self.found.items() if not isinstance(content, PipelineError)}


def make_sealed_directory(folder: Path, key: str | None = OLD, *, patients: int = 50, pages: int = 3) -> Settings:
    """Tokens, a webhook, an audit log; landing files finished, open and set aside; a warehouse, its copy, a backup."""
    settings = settings_under(folder, key)
    settings.prepare_data_dir()
    now = datetime(2026, 11, 22, tzinfo=UTC)
    grant = Grant(
        user_id="u-1",
        user_type="Practitioner",
        scopes=("clinic:read",),
        obtained_at=now,
        expires_at=now + timedelta(hours=2),
        access_token="an-access-token",
        refresh_token="a-refresh",
    )
    with StateStore(settings.state_path, key) as store:
        store.facts.set_environment_kind("sandbox")
        store.clinics.register("us-snd", "c-1", "us", "Maple")
        store.tokens.save_grant(CLINIC, grant)
        store.inbox.keep_delivery(Delivery(server="us-snd", event_id="e-1", body=b'{"patient": "Canary"}'))
        store.inbox.webhook_path()
    for name in ("orders.1.frames", "patients.2.open", "plans.3.abandoned"):
        path = settings.landing_dir / "us-snd" / "maple" / "2026-11-22" / name
        file = FrameFile(path.with_suffix(".open"), key)
        for page in range(pages):
            lines = [make_line({"id": f"{page}-{number}", "name": "Canary " * 40}) for number in range(20)]
            file.append(Request(endpoint="orders", key="k", page=page + 1, records=len(lines)), lines)
        file.close() if path.suffix == ".frames" else None
        file.rename(path.suffix)
    warehouse = Warehouse(settings.warehouse_path, key)
    with warehouse.write() as con:
        con.execute(
            "CREATE SCHEMA core; CREATE TABLE core.patients (patient_id VARCHAR PRIMARY KEY, first_name VARCHAR)"
        )
        con.execute("CREATE VIEW core.names AS SELECT first_name FROM core.patients")
        con.execute("CREATE MACRO core.patient(id) AS TABLE SELECT * FROM core.patients WHERE patient_id = id")
        con.execute(
            "INSERT INTO core.patients SELECT 'p-' || i, 'Canary ' || md5(i::VARCHAR) FROM range(?) t(i)", [patients]
        )
    publish(settings, warehouse)
    back_up(settings, warehouse)
    return settings


def settings_under(folder: Path, keys: str | None) -> Settings:
    """The settings of a process that was started with these keys."""
    return load_settings().model_copy(update={"data_dir": folder, "encryption_key": keys})


def contents(settings: Settings) -> Contents:
    """Everything that is sealed, as these settings open it."""
    found: dict[str, object] = {}
    for kind, read in _READERS.items():
        try:
            found[kind] = read(settings)
        except PipelineError as error:
            found[kind] = error
    return Contents(found)


def _tokens(settings: Settings) -> object:
    with StateStore.open(settings, read_only=True) as store:
        return store.tokens.load_grant(CLINIC)


def _webhooks(settings: Settings) -> object:
    with StateStore.open(settings, read_only=True) as store:
        return store.inbox.deliveries(), store.inbox.webhook_path()


def _audit_log(settings: Settings) -> object:
    with StateStore.open(settings, read_only=True) as store:
        return store.audit.heads()[0].chain, store.audit.damage()


def _landing(settings: Settings) -> object:
    paths = sorted(path for path in settings.landing_dir.rglob("*") if path.is_file() and path.suffix != ".lock")
    return {path.name: list(FrameFile(path, settings.warehouse_key).frames()) for path in paths}


def _database(path: Path, settings: Settings) -> object:
    opener = reencryption._opener(settings.data_dir / "tmp")
    with opener.sibling(path, settings.warehouse_key).read_unlocked() as con:
        queries = (
            "SELECT count(*), sum(hash(t)) FROM core.patients t",
            "SELECT count(*) FROM core.names",
            "SELECT first_name FROM core.patient('p-1')",
        )
        return [con.execute(query).fetchall() for query in queries]


_READERS: dict[str, Callable[[Settings], object]] = {
    "tokens": _tokens,
    "webhooks": _webhooks,
    "audit log": _audit_log,
    "landing": _landing,
    "warehouse": lambda settings: _database(settings.warehouse_path, settings),
    "published": lambda settings: _database(settings.published_dir / "fullscript.duckdb", settings),
}
KINDS = set(_READERS)
