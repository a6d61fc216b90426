"""Whether the worker of this container answers over the queue, busy or not: `python deploy/worker_check.py`."""

import os
import socket
import sys

from celery import Celery

queue = os.environ.get("FULLSCRIPT_RUNNER", "").removeprefix("celery+")
worker = f"celery@{socket.gethostname()}"
try:
    answers = Celery(broker=queue, set_as_current=False).control.ping(destination=[worker], timeout=10)
except Exception as error:
    # Its text may hold the address with its password.
    sys.exit(f"the queue was not reached: {type(error).__name__}")
if not answers:
    sys.exit(f"no answer of {worker}")
