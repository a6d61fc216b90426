"""`python -m fullscript_pipeline.sandbox`: serves one sandbox. The command line proper spawns this."""

import argparse
import os
import sys
from datetime import date
from pathlib import Path

from fullscript_pipeline.sandbox.errors import SandboxError
from fullscript_pipeline.sandbox.server import serve


def main(arguments: list[str] | None = None) -> int:
    """Serves until stopped; prints `sandbox ready <base url>` once it listens. Returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m fullscript_pipeline.sandbox", description="A local Fullscript API."
    )
    parser.add_argument("--directory", type=Path, required=True, help="where its state is kept")
    parser.add_argument("--port", type=int, required=True, help="0 lets the system choose")
    for name in (
        "seed",
        "clinics",
        "patients",
        "products",
        "history-days",
        "token-seconds",
        "rate-limit",
        "rate-window",
    ):
        parser.add_argument(f"--{name}", type=int)
    parser.add_argument("--start", type=date.fromisoformat, help="the world's first present day, YYYY-MM-DD")
    parser.add_argument("--redirect-uri")
    parser.add_argument("--portal-redirect-uri")
    parser.add_argument("--scopes", help="with spaces")
    parser.add_argument("--quirks", help="all, or names with commas; none: an empty text")
    parser.add_argument("--assigned-patients-only", action=argparse.BooleanOptionalAction, default=None)
    os.umask(0o077)  # what it keeps is its owner's only
    options = vars(parser.parse_args(arguments))
    try:
        serve(**options, on_ready=lambda url: print(f"sandbox ready {url}", flush=True))  # noqa: T201
    except SandboxError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
