"""The webhook receiver: proves a delivery genuine, keeps it durably, says so within the vendor's two seconds.

It knows the state store and nothing else: no DuckDB, no Dagster, no call to Fullscript. What does not belong here:
handling what was received (`refresh`).
"""

from fullscript_pipeline.webhooks.server import serve, serving
from fullscript_pipeline.webhooks.webhook_endpoints import Door, open_doors

__all__ = ["Door", "open_doors", "serve", "serving"]
