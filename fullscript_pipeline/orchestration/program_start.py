"""How the programs beside the command line begin (`webserver`, `daemon`): private files, settings, Dagster's home.

What does not belong here: what such a program does.
"""

import sys

from fullscript_pipeline.errors import PipelineError
from fullscript_pipeline.orchestration.runtime import prepare_home
from fullscript_pipeline.private_files import keep_files_private
from fullscript_pipeline.settings import Settings, load_settings


def start_program() -> Settings:
    """The settings. Ends the process with a message and an exit code when one is wrong."""
    keep_files_private()
    try:
        settings = load_settings()
        prepare_home(settings)
    except PipelineError as error:
        print(f"fullscript-pipeline: {error}", file=sys.stderr)  # noqa: T201 - a program of its own
        sys.exit(error.exit_code)
    return settings
