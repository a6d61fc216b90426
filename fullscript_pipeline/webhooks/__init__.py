"""The webhook receiver: proves a delivery genuine, keeps it durably, says so within the vendor's two seconds.

It knows the state store and nothing else: no DuckDB, no Dagster, no call to Fullscript. What does not belong here:
handling what was received (`refresh`).
"""

from fullscript_pipeline.webhooks.server import serve, serving
from fullscript_pipeline.webhooks.webhook_endpoints import WebhookEndpoint, configured_endpoints

__all__ = ["WebhookEndpoint", "configured_endpoints", "serve", "serving"]
