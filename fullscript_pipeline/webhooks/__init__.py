"""The webhook receiver: proves a delivery genuine, keeps it durably, says so within the vendor's two seconds.

It knows the state store and nothing else: no DuckDB, no Dagster, no call to Fullscript. What does not belong here:
handling what was received (`refresh`).
"""

from fullscript_pipeline.webhooks.doors import Door, open_doors
from fullscript_pipeline.webhooks.serving import serve, serving

__all__ = ["Door", "open_doors", "serve", "serving"]
