"""Figures for monitoring, in the OpenMetrics format, on a loopback port of their own (`FULLSCRIPT_METRICS_PORT`).

A figure is a count or an age, labelled with a clinic's key, a server or a region; never a person. Everything is read
when it is requested, and nothing is changed. What does not belong here: judging a figure (`doctor`, the alert rules).
"""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import duckdb
from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.openmetrics.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from fullscript_pipeline import clock
from fullscript_pipeline.errors import PipelineError
from fullscript_pipeline.health.settings_and_files import configured_servers
from fullscript_pipeline.loopback import LOOPBACK_HOSTS
from fullscript_pipeline.settings import Settings
from fullscript_pipeline.state import StateStore
from fullscript_pipeline.warehouse import warehouse_of

_PULLS = """
    SELECT clinic_id, count(DISTINCT run_id), sum(rows_read), sum(requests),
           count(*) FILTER (WHERE outcome = 'not_available'),
           max(finished_at) FILTER (WHERE outcome = 'loaded')
    FROM ops.pulls WHERE clinic_id IS NOT NULL GROUP BY clinic_id"""
# Name without its prefix -> what the figure is. The pulls' are in the order of the query.
_PULL_FIGURES = {
    "pulls": "Runs that loaded something, since the first one",
    "pulled_rows": "Rows that pulls read, since the first one",
    "pull_requests": "Requests that pulls sent, since the first one",
    "refusals": "Lists that were refused to a clinic's token, since the first pull",
}


class PipelineCollector(Collector):
    """Reads every figure for one answer; what cannot be read now is left out, and never 0."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def collect(self) -> Iterator[GaugeMetricFamily]:
        names, store_figures = _read_store(self._settings)
        yield _single("up", "1 if the state store could be read", names is not None)
        yield from store_figures
        yield from _read_warehouse(self._settings, names or {})


def _read_store(settings: Settings) -> tuple[dict[str, str] | None, list[GaugeMetricFamily]]:
    """Clinics' keys by id, and the figures of the state store; None and no figure when it cannot be read as a whole."""
    try:
        with StateStore.open(settings, read_only=True) as store:
            names = {clinic.clinic_id: clinic.clinic_key for clinic in store.clinics.all()}
            return names, list(_store_figures(settings, store))
    except PipelineError:
        return None, []


def _read_warehouse(settings: Settings, names: dict[str, str]) -> Iterator[GaugeMetricFamily]:
    """The figures of the warehouse, for the clinics with these names."""
    try:
        warehouse = warehouse_of(settings, lock_wait=2.0)
        if not warehouse.exists():
            return
        with warehouse.read() as con:
            rows = con.execute(_PULLS).fetchall()
            (waiting,) = con.execute("SELECT count(*) FROM ops.quarantine WHERE resolved_at IS NULL").fetchall()
    except (PipelineError, duckdb.Error):
        return
    yield _single("quarantined_records", "Records that could not be loaded", waiting[0])
    known = [(names[row[0]], row[1:]) for row in rows if row[0] in names]
    for index, (name, text) in enumerate(_PULL_FIGURES.items()):
        figures = {key: of_clinic[index] for key, of_clinic in known}
        yield _labelled(name, text, "clinic", figures)
    loaded = {key: of_clinic[-1] for key, of_clinic in known}
    ages = {key: _age(moment, real=True) for key, moment in loaded.items()}
    yield _labelled("lag_seconds", "Seconds since the last load of a clinic", "clinic", ages)


def render_metrics(settings: Settings) -> bytes:
    """Every figure, in the OpenMetrics format."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(PipelineCollector(settings))
    return bytes(generate_latest(registry))  # type: ignore[no-untyped-call]


@contextmanager
def serve_metrics(settings: Settings) -> Iterator[None]:
    """Serves `/metrics` on loopback for the length of the block, if a port is set. Raises OSError for a used one."""
    if not settings.metrics_port:
        yield
        return

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            host = self.headers.get("host", "").rsplit(":", 1)[0].strip("[]")
            # Another name leads here only by a browser that was tricked.
            is_ours = self.path.partition("?")[0] == "/metrics" and host in LOOPBACK_HOSTS
            body = render_metrics(settings) if is_ours else b""
            self.send_response(200 if is_ours else 404)
            self.send_header("Content-Type", CONTENT_TYPE_LATEST)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing: a scrape every few seconds is no news."""

    with ThreadingHTTPServer(("127.0.0.1", settings.metrics_port), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield
        finally:
            server.shutdown()


def _store_figures(settings: Settings, store: StateStore) -> Iterator[GaugeMetricFamily]:
    inbox = store.inbox.size()
    yield _single("inbox_deliveries", "Deliveries that wait to be handled", inbox.waiting)
    yield _single("inbox_oldest_seconds", "Seconds since the oldest was received", _age(inbox.since))
    budgets = {
        server.name: store.budgets.of_app(server.name, server.client_id or "", settings.requests_per_5_min)
        for server in configured_servers(settings)
    }
    used = {name: budget.used() for name, budget in budgets.items()}
    yield _labelled("requests_used", "Requests of the last five minutes", "server", used)
    limits = {name: budget.limit for name, budget in budgets.items()}
    yield _labelled("requests_limit", "Requests that five minutes may have", "server", limits)
    grants = {clinic.clinic_key: store.tokens.load_grant(clinic) for clinic in store.clinics.all()}
    ages = {key: _age(grant.obtained_at, real=True) for key, grant in grants.items() if grant}
    yield _labelled("token_age_seconds", "Seconds since a clinic's token was obtained", "clinic", ages)
    healthy = {clinic.clinic_key: float(clinic.status == "ok") for clinic in store.clinics.all()}
    yield _labelled("clinic_connected", "1 if a clinic's token works", "clinic", healthy)


def _age(moment: datetime | None, *, real: bool = False) -> float | None:
    """Seconds since a moment, by the data's clock or the real one; None for none."""
    now = clock.real_now() if real else clock.now()
    return max((now - moment).total_seconds(), 0.0) if moment else None


def _single(name: str, text: str, figure: float | None) -> GaugeMetricFamily:
    """A figure without a label; None: it is left out."""
    return GaugeMetricFamily(f"fullscript_{name}", text, value=None if figure is None else float(figure))


def _labelled(name: str, text: str, label: str, figures: Mapping[str, float | None]) -> GaugeMetricFamily:
    """A figure for each label; those that are None are left out."""
    family = GaugeMetricFamily(f"fullscript_{name}", text, labels=[label])
    for key, figure in sorted(figures.items()):
        if figure is not None:
            family.add_metric([key], float(figure))
    return family
