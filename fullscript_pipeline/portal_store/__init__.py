"""What the portal and the daemon share: the portal's private SQLite files, the seal, and the queue of requests.

The portal puts requests into the queue, and the daemon takes them: so the portal never needs the state store, the
warehouse or the encryption key. What does not belong here: what is done for a request (`orchestration`), HTTP (`web`).
"""

from fullscript_pipeline.portal_store.database import PortalDatabase, TableSet
from fullscript_pipeline.portal_store.invitations import Invitation, make_invitation, read_invitation
from fullscript_pipeline.portal_store.requests import (
    CONNECT,
    DONE,
    FAILED,
    READ_PATIENT,
    TAKEN,
    WAITING,
    InvitationUsed,
    PortalRequest,
    PortalRequests,
    TakenRequest,
    erase_requests,
)
from fullscript_pipeline.portal_store.sealing import PageSeal, Seal, hash_of, split_keys

__all__ = [
    "CONNECT",
    "DONE",
    "FAILED",
    "READ_PATIENT",
    "TAKEN",
    "WAITING",
    "Invitation",
    "InvitationUsed",
    "PageSeal",
    "PortalDatabase",
    "PortalRequest",
    "PortalRequests",
    "Seal",
    "TableSet",
    "TakenRequest",
    "erase_requests",
    "hash_of",
    "make_invitation",
    "read_invitation",
    "split_keys",
]
