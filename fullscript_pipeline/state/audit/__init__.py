"""The audit log: who took, let in or removed what."""

from fullscript_pipeline.state.audit.chain import AuditHead
from fullscript_pipeline.state.audit.log import AuditEntry, AuditLog
from fullscript_pipeline.state.audit.verification import audit_damage

__all__ = [
    "AuditEntry",
    "AuditHead",
    "AuditLog",
    "audit_damage",
]
