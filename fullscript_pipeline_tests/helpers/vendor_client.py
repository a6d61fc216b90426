"""The vendor's side, for tests, soak and benchmark: payloads, signatures, and calls that say how long they took.

Also the receiver as a process of its own. What does not belong here: what is to be true of the answers.
"""

import asyncio
import hashlib
import hmac
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

ROOT = Path(__file__).parents[2]
CHALLENGE, KEY = "a-challenge-token", "a-signature-key"
ENCRYPTION_KEY = "a key"
_READY_SECONDS = 30.0


@dataclass(frozen=True)
class Told:
    """An answer; `status` 0 when there was none. `seconds` counts from before the connection."""

    status: int
    body: bytes
    seconds: float

    @property
    def accepted(self) -> bool:
        """Whether the vendor would count it as delivered (in whatever time)."""
        return (
            self.status in {200, 201}
            and self.body == json.dumps({"challenge": CHALLENGE}, separators=(",", ":")).encode()
        )


def payload(event_id: str, event_type: str = "order.placed", *, size: int = 1500, **more: object) -> bytes:
    """A body of about `size` bytes."""
    data = {"id": f"order-{event_id}", "note": "x" * max(0, size - 300)}
    event = {
        "id": event_id,
        "type": event_type,
        "created_at": "2026-11-22T10:00:00.000Z",
        "clinic_id": "clinic-1",
        "data": data,
    }
    return json.dumps({"event_payload": {"event": event | more}}).encode()


def signed(body: bytes, key: str = KEY, ahead: float = 0) -> dict[str, str]:
    """The header for `body`, as of `ahead` seconds from now."""
    moment = str(int(time.time() + ahead))
    digest = hmac.new(key.encode(), moment.encode() + b"." + body, hashlib.sha256).hexdigest()
    return {"Fullscript-Signature": f"t={moment},v1={digest}"}


async def post(url: str, body: bytes, headers: Mapping[str, str] | None = None, timeout: float = 10) -> Told:
    """A POST on a connection of its own, as plain as can be: the client must not cost more than the receiver."""
    head = "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
    parts = urlsplit(url)
    request = (
        f"POST {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Length: {len(body)}\r\n{head}"
        "Connection: close\r\n\r\n"
    )
    return await raw(url, request.encode() + body, timeout)


async def raw(url: str, sent: bytes, timeout: float = 10) -> Told:
    """Sends bytes as they are and reads the answer to its end."""
    parts = urlsplit(url)
    begun = time.perf_counter()
    answer = b""
    try:
        async with asyncio.timeout(timeout):
            reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
            try:
                writer.write(sent)
                answer = await reader.read()
            finally:
                writer.close()
    except (OSError, TimeoutError):
        pass
    head, _, body = answer.partition(b"\r\n\r\n")
    status = head.split(b" ", 2)[1] if head.startswith(b"HTTP/1.1 ") else b"0"
    return Told(int(status), body, time.perf_counter() - begun)


async def deliver(url: str, body: bytes, key: str = KEY) -> Told:
    """Probe, then payload, as one delivery; the slower of both times."""
    probed = await post(url, b"")
    if not probed.accepted:
        return probed
    receipt = await post(url, body, signed(body, key))
    return Told(receipt.status, receipt.body, max(receipt.seconds, probed.seconds))


@dataclass
class Process:
    """A receiver that runs."""

    url: str
    process: "subprocess.Popen[str]"


@contextmanager
def receiver_process(data_dir: Path, **more: str) -> Iterator[Process]:
    """`webhooks serve` on a port the system picks; killed at the end if it still runs."""
    variables = {
        **{name: value for name, value in os.environ.items() if not name.startswith("FULLSCRIPT_")},
        "FULLSCRIPT_DATA_DIR": str(data_dir),
        "FULLSCRIPT_ENCRYPTION_KEY": ENCRYPTION_KEY,
        "FULLSCRIPT_US_SND_WEBHOOK_CHALLENGE_TOKEN": CHALLENGE,
        "FULLSCRIPT_US_SND_WEBHOOK_SIGNATURE_KEYS": KEY,
        **more,
    }
    data_dir.mkdir(parents=True, exist_ok=True)
    run = [sys.executable, "-m", "fullscript_pipeline", "webhooks", "serve", "--port", "0"]
    with (data_dir / "receiver.log").open("a") as log:
        process = subprocess.Popen(run, stdout=subprocess.PIPE, stderr=log, text=True, env=variables, cwd=data_dir)
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line.startswith("us-snd http://127.0.0.1:"), (data_dir / "receiver.log").read_text()
            yield Process(line.split()[1], process)
        finally:
            if process.poll() is None:
                process.kill()
            process.communicate(timeout=_READY_SECONDS)
