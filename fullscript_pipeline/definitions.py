"""The entry point of Dagster's code location: the process of the code location and of each run begins here.

What does not belong here: the definitions themselves (`build`).
"""

from fullscript_pipeline.build import build_defs
from fullscript_pipeline.private_files import keep_files_private
from fullscript_pipeline.settings import load_settings

keep_files_private()


defs = build_defs(load_settings)
