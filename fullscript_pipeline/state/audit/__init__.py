"""The audit log: who took, let in or removed what."""

from fullscript_pipeline.state.audit.chain import AuditHead
from fullscript_pipeline.state.audit.entries import AuditChains, AuditEntry
from fullscript_pipeline.state.audit.log import AuditLog

__all__ = [
    "AuditChains",
    "AuditEntry",
    "AuditHead",
    "AuditLog",
]
