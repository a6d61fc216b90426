"""Who may use the Dagster UI: a thin layer around its app, and the sign-in with a one-use link.

Dagster's app has no login, executes GraphQL over GET and looks at no Origin: any page that its user visits could launch
runs. What does not belong here: Dagster (`orchestration.webserver` puts the layer around it), clinicians' pages.
"""

from fullscript_pipeline.ui_access.guard import Guard
from fullscript_pipeline.ui_access.served_pages import CATALOG, REFERENCE, ServedPages
from fullscript_pipeline.ui_access.sign_in import SignIns, make_code, new_key, read_key

__all__ = ["CATALOG", "REFERENCE", "Guard", "ServedPages", "SignIns", "make_code", "new_key", "read_key"]
