"""Makes Dagster's home in the data directory, before its webserver and daemon start (what `ui` does by itself)."""

from fullscript_pipeline.orchestration.runtime.instance import prepare_home
from fullscript_pipeline.settings import load_settings

prepare_home(load_settings())
