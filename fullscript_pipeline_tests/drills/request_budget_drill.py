"""Promise 20: several processes, one budget; the server counts every rolling window. With any numbers.

What does not belong here: how many (the tests say).
"""

import math
import statistics
import time
from collections import Counter
from pathlib import Path

from fullscript_pipeline.api import Priority
from fullscript_pipeline_tests.drills.promise_line import report_promise
from fullscript_pipeline_tests.drills.worker_group import crew
from fullscript_pipeline_tests.helpers.connected_clinic import connected, environment

# What a busy machine of two cores sends at least: the last `limit` calls need some time as well.
_CALLS_A_SECOND = 200
# What the backfill leaves to the present, of the limits used here.
_RESERVE = 250


def the_limit_is_never_passed(
    folder: Path,
    *,
    processes: int,
    threads: int,
    limit: int,
    window: int,
    calls: int,
    priority: Priority = "present",
    state_url: str = "",
) -> dict[str, float]:
    """At most `limit` requests in any `window` seconds by the server's count, while `calls` calls are made.

    throughput: the sustained rate over the one that the lane allows. The rule lets call number i + allowed follow a
    window after call number i; it is the window over the mean of what that took. (How long the first calls take, all
    allowed at once, says how fast the machine is.) slowest_share: of the calls, those of the slowest process over an
    equal share.
    """
    started = time.monotonic()
    allowed = limit if priority == "present" else limit - _RESERVE
    shortest = (math.ceil(calls / allowed) - 1) * window
    # The server would refuse what passes the limit; a 429 would show as well.
    with connected(folder, state_url=state_url, rate_limit=limit, rate_window=window) as (
        sandbox,
        settings,
        _store,
        _clinic,
    ):
        variables = {**environment(sandbox, settings.data_dir), "FULLSCRIPT_ENCRYPTION_KEY": "a key"}
        with crew(processes, ["budget", limit, window, threads, priority], variables, state_url=state_url) as workers:
            time.sleep(window + 1)  # what connecting has sent is out of every window
            sandbox.control.reset_requests()
            workers.order()
            time.sleep(shortest * 1.06 + allowed / _CALLS_A_SECOND + 1)
            workers.order()
            moments = [(float(word), who) for who, line in enumerate(workers.answers()) for word in line.split()]
        summary = sandbox.control.requests()
    first = sorted(moments)[:calls]
    assert len(first) > allowed, "not even one window's worth came back in time"
    shares = Counter(who for _, who in first)
    again = [later - sooner for (sooner, _), (later, _) in zip(first, first[allowed:], strict=False)]
    figures = {
        "counted": float(len(first)),
        "most_in_a_window": float(summary["max_in_window"]["us-snd"]),
        "throughput": window / statistics.mean(again),
        "slowest_share": min(shares[who] for who in range(processes)) / (len(first) / processes),
    }
    refused = sum(row["count"] for row in summary["counts"] if row["status"] == 429)
    report_promise(
        "promise 20", priority=priority, processes=processes, threads=threads, acked=len(moments), limit=limit,
        window=window, refused=refused, seconds=time.monotonic() - started, **figures,
    )  # fmt: skip
    assert figures["most_in_a_window"] <= allowed
    assert refused == 0
    return figures
