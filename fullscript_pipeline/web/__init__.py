"""The portal: clinicians sign in with Fullscript, see the pages of their own clinic, and open plans in Fullscript.

It is a process of its own, with an app of its own at Fullscript. It never has the encryption key, and opens neither
the state store nor the warehouse: it reads the files that the pipeline writes for it, and stores what it needs in a
store of its own. What does not belong here: making pages (`reports`), Dagster's UI (`ui_access`).
"""

from fullscript_pipeline.web.app import create_app
from fullscript_pipeline.web.audit_log import opened_audit
from fullscript_pipeline.web.configuration import PortalConfiguration, configure, refuse_encryption_key
from fullscript_pipeline.web.portal import Portal
from fullscript_pipeline.web.rate_limit import Limits, TryLimit
from fullscript_pipeline.web.server import serve, server_options
from fullscript_pipeline.web.stored_data import (
    back_up_portal,
    erase_from_portal,
    notes_of_person,
    reseal_portal,
    restore_portal,
)

__all__ = [
    "Limits",
    "Portal",
    "PortalConfiguration",
    "TryLimit",
    "back_up_portal",
    "configure",
    "create_app",
    "erase_from_portal",
    "notes_of_person",
    "opened_audit",
    "refuse_encryption_key",
    "reseal_portal",
    "restore_portal",
    "serve",
    "server_options",
]
