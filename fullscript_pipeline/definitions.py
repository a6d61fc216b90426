"""Where Dagster finds the project: the beginning of its code location's process, and of each run's.

What does not belong here: what it finds (`build`).
"""

from fullscript_pipeline.build import build_defs
from fullscript_pipeline.private_files import keep_files_private

keep_files_private()

defs = build_defs()
