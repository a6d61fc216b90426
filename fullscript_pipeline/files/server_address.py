"""Where the S3 server is, as AWS's own variables say.

What does not belong here: credentials, and talking to it (`bucket`).
"""

import os

# In the order in which obstore reads them.
_ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")


def server_address() -> str:
    """The address of the S3 server; "" where it is Amazon's own."""
    return next((os.environ[name] for name in _ENDPOINTS if os.environ.get(name)), "")
