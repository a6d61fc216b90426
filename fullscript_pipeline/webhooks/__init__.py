"""The webhook receiver: verifies a delivery, stores it durably, and answers within the vendor's two seconds.

It uses the state store only: no DuckDB, no Dagster, no request to Fullscript. What does not belong here:
handling what was received (`refresh`).
"""

from fullscript_pipeline.webhooks.server import serve, serving
from fullscript_pipeline.webhooks.webhook_endpoints import WebhookEndpoint, configured_endpoints

__all__ = ["WebhookEndpoint", "configured_endpoints", "serve", "serving"]
