"""Sends JSON to a program's standard input or posts it to an address; the outcome is a sentence without the address.

What does not belong here: what is sent, and when it is sent again.
"""

import os
import subprocess
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass

from fullscript_pipeline.secret_variables import without_secrets

TIMEOUT_SECONDS = 20


@dataclass(frozen=True, kw_only=True)
class Sent:
    """Whether a message was received, and a sentence about it."""

    received: bool
    sentence: str


def send_to_command(variable: str, command: Sequence[str], body: bytes, *, what: str) -> Sent:
    """Runs the command of a setting without a shell and without our secrets. Never raises."""
    try:
        done = subprocess.run(
            command,
            input=body,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=TIMEOUT_SECONDS,
            check=False,
            env=without_secrets(os.environ),
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return Sent(received=False, sentence=f"The command of {variable} could not be run ({type(error).__name__}).")
    if done.returncode:
        return Sent(received=False, sentence=f"The command of {variable} failed with exit code {done.returncode}.")
    return Sent(received=True, sentence=f"The {what} was sent to the command.")


def post_to_url(variable: str, url: str, body: bytes, *, what: str) -> Sent:
    """Posts to the address of a setting. It may hold a secret, so it is not repeated. Never raises."""
    # The settings accept http and https only.
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"}, method="POST")  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310
            return Sent(received=True, sentence=f"The {what} was sent to the URL (status {answer.status}).")
    except urllib.error.HTTPError as error:
        return Sent(received=False, sentence=f"{variable} answered {error.code}.")
    except OSError as error:
        return Sent(received=False, sentence=f"{variable} could not be reached ({type(error).__name__}).")
