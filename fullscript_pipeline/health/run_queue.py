"""Checks the queue of runs: it answers, who may reach it, and how many runs wait in it.

What does not belong here: runs that were started (`runs`).
"""

from collections.abc import Iterator
from urllib.parse import urlsplit

from fullscript_pipeline.health.finding import Finding, failed, passed, warned
from fullscript_pipeline.loopback import is_loopback
from fullscript_pipeline.plural import counted
from fullscript_pipeline.settings import Settings

# Dagster's launcher puts all runs into this list of Redis.
_LIST = "dagster"
_SECONDS = 5.0


def check_run_queue(settings: Settings) -> Iterator[Finding]:
    """No finding where runs are started without a queue."""
    if settings.broker_url is None:
        return
    try:
        import redis  # noqa: PLC0415 - of the extra `distributed`
    except ModuleNotFoundError:
        advice = "Run `pip install 'fullscript-pipeline[distributed]'`."
        yield failed("runs.queue", "the packages of a queue are not installed", advice)
        return

    parts = urlsplit(settings.broker_url)
    place = f"{parts.hostname}:{parts.port or 6379}"
    try:
        with redis.Redis.from_url(
            settings.broker_url, socket_timeout=_SECONDS, socket_connect_timeout=_SECONDS
        ) as queue:
            waiting = queue.llen(_LIST)
    except (redis.RedisError, OSError) as error:
        yield failed(
            "runs.queue",
            f"the queue of runs at {place} does not answer ({_reason(error)})",
            "Start Redis, or correct FULLSCRIPT_RUNNER (host, port, password).",
        )
        return
    what = f"{place} answers; {counted(waiting, 'run')} in it"
    if parts.scheme == "rediss" or is_loopback(settings.broker_url):
        yield passed("runs.queue", what)
    else:
        yield warned(
            "runs.queue",
            f"{what}; it is on another machine and is reached without TLS",
            "Whoever reads its password there can start and stop runs: set FULLSCRIPT_RUNNER to celery+rediss://..., "
            "and let only the daemon and the workers into its network.",
        )


def _reason(error: Exception) -> str:
    """Redis's own words; they hold no password."""
    return str(error).partition("\n")[0].rstrip(".") or type(error).__name__
