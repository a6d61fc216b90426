"""Whether a server of this container answers: `python deploy/health_check.py PORT`. Any HTTP status is an answer."""

import sys
import urllib.error
import urllib.request

try:
    urllib.request.urlopen(f"http://127.0.0.1:{sys.argv[1]}/server_info", timeout=5)
except urllib.error.HTTPError:
    pass
except OSError as error:
    sys.exit(f"no answer on port {sys.argv[1]}: {type(error).__name__}")
