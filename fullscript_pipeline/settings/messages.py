"""Whom the pipeline sends messages about failures, recoveries and changes of the catalog.

What does not belong here: what a message says and when it is sent (`orchestration`).
"""

from pydantic import Field
from pydantic_settings import BaseSettings

from fullscript_pipeline.settings.value_types import Command, WebUrl


class MessageSettings(BaseSettings):
    """A program or an address for each kind of message; none has any by default."""

    on_failure_command: Command = Field(
        (),
        description="a program and its arguments, which the daemon (`ui`, the services) runs when a run fails, "
        "without a shell and without our secrets. A `pull` that cron starts ends with an exit code instead. It gets "
        "JSON on standard input (job, run id, partition as `cell`, clinic key, each failed step's message; no health "
        "data)",
    )
    on_failure_url: WebUrl | None = Field(None, repr=False, description="the same JSON is posted there")
    on_recovery_command: Command = Field(
        (),
        description="a program as for failures; it runs once, when a job of a clinic or region succeeds again after it "
        "failed (JSON: job, run id, partition as `cell`, clinic key)",
    )
    on_recovery_url: WebUrl | None = Field(None, repr=False, description="the same JSON is posted there")
    on_change_command: Command = Field(
        (),
        description="a program and its arguments, run without a shell and without our secrets when a catalog digest "
        "lists changes: it gets JSON on standard input (an id, counts, the changes, a line of text for a chat; no "
        "health data). A message that is not received is sent again; ignore one whose id was received before",
    )
    on_change_url: WebUrl | None = Field(
        None, repr=False, description="the same JSON is posted there; Slack and the like show its `text`"
    )
