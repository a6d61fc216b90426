"""The retry rule: which requests are repeated, how often, and after which wait.

    GET       no whole answer, 408, 425, 5xx     5 attempts, jittered 0.5 s doubling, at most 30 s each
    GET       429                                5 attempts, Retry-After if given, else jittered 5 s doubling
    GET       a response that cannot be parsed   3 attempts (damaged in transit; a real drift costs two requests)
    token     no whole answer, 408, 425, 429,    2 attempts: the vendor lets the old refresh token live until the new
              5xx, unreadable                    access token is used, so a lost response can be repeated
    anything else                                never (401 is the session's: re-read, renew, once)

A token call is nested in a GET; its failure is not multiplied by the attempts of the GET (`exhausted`). Retry-After
(seconds or a date) is followed up to 300 s; a longer one raises the error at once.
What does not belong here: sending, or counting requests.
"""

import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TypeVar

from fullscript_pipeline import clock
from fullscript_pipeline.api.errors import BadResponse, FullscriptError, RateLimited, ServerError

MAX_RETRY_AFTER = 300.0
T = TypeVar("T")
_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class RetryPolicy:
    """Attempts (including the first) and waits in seconds. `sleep` and `jitter` are replaced in tests."""

    attempts: int = 5
    unreadable_attempts: int = 3
    first_wait: float = 0.5
    first_wait_when_limited: float = 5.0
    longest_wait: float = 30.0
    sleep: Callable[[float], None] = time.sleep
    jitter: Callable[[], float] = random.random

    def run(self, call: Callable[[], T], before_retry: Callable[[FullscriptError, float], None]) -> T:
        """Repeats `call` until it succeeds or the attempts are used up, then raises its last error.

        `before_retry` is called before each wait.
        """
        attempt = 0
        while True:
            attempt += 1
            try:
                return call()
            except (ServerError, RateLimited, BadResponse) as error:
                wait = None if error.exhausted else self.wait_after(error, attempt)
                if wait is None:
                    error.exhausted = True
                    raise
                _log.info(
                    "%s: %s, attempt %d, again in %.1f s (status %s, X-Request-Id %s)",
                    error.endpoint, type(error).__name__, attempt, wait, error.status, error.request_id,
                )  # fmt: skip
                before_retry(error, wait)
                self.sleep(wait)

    def wait_after(self, error: FullscriptError, attempt: int) -> float | None:
        """The seconds to wait before the next attempt; None if there is none."""
        allowed = self.unreadable_attempts if isinstance(error, BadResponse) else self.attempts
        if attempt >= allowed:
            return None
        retry_after = error.retry_after if isinstance(error, RateLimited | ServerError) else None
        if retry_after is not None:
            # A little later than requested, so that not all clients retry at the same instant.
            return retry_after + self.jitter() if retry_after <= MAX_RETRY_AFTER else None
        first = self.first_wait_when_limited if isinstance(error, RateLimited) else self.first_wait
        ceiling = min(first * 2.0 ** (attempt - 1), max(self.longest_wait, first))
        return ceiling * (0.5 + 0.5 * self.jitter())


TOKEN_POLICY = RetryPolicy(attempts=2, unreadable_attempts=2)


def retry_after_seconds(header: str | None) -> float | None:
    """Parses Retry-After (a number or an HTTP date) into seconds from now; None if absent or invalid."""
    text = (header or "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, _seconds_until(aware))


def _seconds_until(moment: datetime) -> float:
    return (moment - clock.real_now()).total_seconds()
