"""Whether a server answers at all, and what its clock says: for `doctor`, with no token and no effect.

What does not belong here: reading data (`session`).
"""

from datetime import timedelta

from fullscript_pipeline import clock
from fullscript_pipeline.api.errors import BadResponse
from fullscript_pipeline.api.http import Ask, HttpClient
from fullscript_pipeline.api.server_clock import ahead_of_server
from fullscript_pipeline.settings import ServerSettings

_PATIENCE_SECONDS = 5.0


def clock_offset(server: ServerSettings) -> timedelta:
    """How far the server's clock is ahead of this machine's, to about a second; any status is an answer.

    One request without a token. Raises ServerError when nobody answers, BadResponse for an answer without a Date.
    """
    with HttpClient(connect_seconds=_PATIENCE_SECONDS, read_seconds=_PATIENCE_SECONDS) as client:
        asked_at = clock.real_now()
        answer = client.send(Ask("clinic", server.name, f"{server.api_url}/clinic"))
        answered_at = clock.real_now()
    # Said somewhere in the middle of our waiting.
    ours = ahead_of_server(asked_at + (answered_at - asked_at) / 2, answer)
    if ours is None:
        raise BadResponse(answer.asked(), "the answer has no Date", "Something else may answer in the server's place.")
    return -ours
