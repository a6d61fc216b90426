"""Checks the bucket that files are kept in, if there is one: it writes and removes one small object.

What does not belong here: what is in the files, and folders of this machine (`settings_and_files`).
"""

import secrets
from collections.abc import Iterator

from fullscript_pipeline.errors import PipelineError
from fullscript_pipeline.files import open_files, server_address
from fullscript_pipeline.health.finding import Finding, failed, failed_by, passed
from fullscript_pipeline.loopback import is_loopback
from fullscript_pipeline.settings import Settings

_FOLDER = "doctor"


def check_files(settings: Settings) -> Iterator[Finding]:
    """Nothing where files are in a folder."""
    if settings.bucket_url is None:
        return
    try:
        files, name = open_files(settings, _FOLDER), secrets.token_hex(6)
        files.put(name, name.encode())
        can_read = files.get(name) == name.encode() and name in files.names("")
        files.delete([name])
    except PipelineError as problem:
        yield failed_by("files.bucket", problem)
        return
    yield _judge(settings.bucket_url, can_read=can_read)


def _judge(url: str, *, can_read: bool) -> Finding:
    if not can_read:
        fix = "Use a server that shows an object as soon as it is written, as S3 does."
        return failed("files.bucket", f"{url} does not show what was just written", fix)
    address = server_address()
    if address.startswith("http:") and not is_loopback(address):
        fix = "Set AWS_ENDPOINT_URL to its https address: what is written there holds health data."
        return failed("files.bucket", f"{url} is reached without TLS", fix, 78)
    return passed("files.bucket", f"{url} can be written, listed and read")
