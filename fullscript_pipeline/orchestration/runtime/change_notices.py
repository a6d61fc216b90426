"""Tells other programs what a digest lists: keeps the message, sends it, and sends it again until it is received.

What does not belong here: what a message says (`catalog`), where it is kept (`state`).
"""

import time

import orjson

from fullscript_pipeline.catalog import Digest, digest_message, message_id
from fullscript_pipeline.orchestration.runtime.outgoing import Sent, post_to_url, send_to_command
from fullscript_pipeline.settings import Settings
from fullscript_pipeline.state import ChangeNotice, StateStore

# Two tries that time out still fit into a sensor's tick.
MOST_FAILURES = 2


def notice_targets(settings: Settings) -> list[str]:
    """The targets that the settings name: `command`, `url`."""
    return [
        *(["command"] if settings.on_change_command else []),
        *(["url"] if settings.on_change_url else []),
    ]


def queue_change_notice(settings: Settings, store: StateStore, digest: Digest) -> None:
    """Keeps the message about a digest for each target. A held digest and one without changes have none."""
    targets = notice_targets(settings)
    if not targets or digest.held or not digest.rows:
        return
    identity = message_id(digest)
    before = store.change_notices.last_id(digest.region, digest.to_day)
    if before == identity:
        return
    base = settings.reports_base_url
    page = f"{base}/catalog/{digest.region}/{digest.to_day}.html" if base else None
    body = orjson.dumps(digest_message(digest, page=page, replaces=before))
    store.change_notices.queue(identity, targets, region=digest.region, day=digest.to_day, body=body)


def send_change_notices(settings: Settings, store: StateStore) -> list[str]:
    """Sends what is due; returns a sentence for each try. A failed message is kept and sent again later."""
    sentences, failures = [], 0
    for notice in store.change_notices.pending(notice_targets(settings), time.time()):
        if failures >= MOST_FAILURES:
            break
        sent = _send(settings, notice)
        if sent.received:
            store.change_notices.mark_received(notice)
        else:
            failures += 1
            store.change_notices.mark_failed(notice, sent.sentence, time.time())
        sentences.append(sent.sentence)
    return sentences


def _send(settings: Settings, notice: ChangeNotice) -> Sent:
    what = "catalog digest"
    if notice.target == "command":
        return send_to_command("FULLSCRIPT_ON_CHANGE_COMMAND", settings.on_change_command, notice.body, what=what)
    return post_to_url("FULLSCRIPT_ON_CHANGE_URL", settings.on_change_url or "", notice.body, what=what)
