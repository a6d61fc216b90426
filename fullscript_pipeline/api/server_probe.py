"""Checks whether a server responds, and its clock: for `doctor`, with a request without a token.

What does not belong here: reading data (`session`).
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from fullscript_pipeline import clock
from fullscript_pipeline.api.address_check import PATIENCE_SECONDS
from fullscript_pipeline.api.errors import BadResponse
from fullscript_pipeline.api.http import HttpClient, HttpRequest, HttpResponse
from fullscript_pipeline.api.server_clock import clock_lead
from fullscript_pipeline.settings import ServerSettings


@dataclass(frozen=True, kw_only=True)
class ServerProbe:
    """The response to GET /clinic without a token, and its time by our clock: the middle of the wait."""

    answer: HttpResponse
    moment: datetime

    def clock_offset(self) -> timedelta:
        """How far the server's clock is ahead of this machine's, to about a second.

        Raises BadResponse if the response has no Date.
        """
        lead = clock_lead(self.moment, self.answer)
        if lead is None:
            request = self.answer.request_summary()
            raise BadResponse(request, "the answer has no Date", "Something else may answer in the server's place.")
        return -lead


def probe_server(server: ServerSettings) -> ServerProbe:
    """Sends one request without a token; any status is a response. Raises ServerError if there is none."""
    with HttpClient(connect_seconds=PATIENCE_SECONDS, read_seconds=PATIENCE_SECONDS) as client:
        requested_at = clock.real_now()
        answer = client.send(HttpRequest(endpoint="clinic", server=server.name, url=f"{server.api_url}/clinic"))
        answered_at = clock.real_now()
    return ServerProbe(answer=answer, moment=requested_at + (answered_at - requested_at) / 2)


def clock_offset(server: ServerSettings) -> timedelta:
    """As `ServerProbe.clock_offset`, after one request. Raises what `probe_server` raises, too."""
    return probe_server(server).clock_offset()
