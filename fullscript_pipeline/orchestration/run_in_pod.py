"""Executes one run and ends: the command of a pod, `python -m fullscript_pipeline.orchestration.run_in_pod RUN_ID`.

Settings come from the pod's environment. Kubernetes stops a pod by SIGTERM, which stops the run as Ctrl-C does. The
exit code is 1 when the run could not be executed, 78 when a setting is wrong; a run whose step failed says so in its
events. What does not belong here: how the pod came to be (`kubernetes_launcher`).
"""

import sys

from fullscript_pipeline.orchestration.program_start import start_program
from fullscript_pipeline.orchestration.runtime import execute_launched_run, stop_by_signals


def main() -> None:
    """Executes the run whose id is the only argument."""
    (run_id,) = sys.argv[1:]
    stop_by_signals()
    if not execute_launched_run(start_program(), run_id):
        sys.exit(1)


if __name__ == "__main__":
    main()
