"""Dagster's webserver, with pages of ours and the sign-in around its app.

`python -m fullscript_pipeline.orchestration.webserver` takes the options of `dagster-webserver`. One private name of
Dagster is replaced; it is pinned with Dagster's version and tested. What does not belong here: who may sign in
(`ui_access`).
"""

from typing import Any

import dagster_webserver.cli
from starlette.types import ASGIApp

from fullscript_pipeline.files import open_files
from fullscript_pipeline.health import serve_metrics
from fullscript_pipeline.orchestration.program_start import start_program
from fullscript_pipeline.orchestration.reference_page import reference_page
from fullscript_pipeline.settings import Settings
from fullscript_pipeline.ui_access import Guard, ServedPages, SignIns, new_key


def guarded(app: ASGIApp, settings: Settings) -> Guard:
    """The app and the pages beside it, behind the sign-in if it is on. Writes a new sign-in key for this start."""
    key = new_key(settings.ui_key_path)
    pages = ServedPages(app, catalog=open_files(settings, "reports/catalog"), make_reference=reference_page)
    return Guard(pages, SignIns(key) if settings.ui_sign_in else None, settings.ui_url)


def main() -> None:
    """Serves until stopped. Exits with a message and an exit code when a setting is wrong."""
    settings = start_program()
    server: Any = dagster_webserver.cli
    make_app = server.create_app_from_workspace_process_context

    def make_guarded(*arguments: Any, **options: Any) -> Guard:
        return guarded(make_app(*arguments, **options), settings)

    server.create_app_from_workspace_process_context = make_guarded
    with serve_metrics(settings):
        server.main()


if __name__ == "__main__":
    main()
