"""A link that signs a test's browser in to a UI that runs over a data directory."""

from fullscript_pipeline.settings import Settings
from fullscript_pipeline.ui_access import make_code, read_key


def ui_link(settings: Settings, url: str, path: str = "/") -> str:
    """Opens `path` of the UI at `url`, once."""
    return f"{url}{path}?code={make_code(read_key(settings.ui_key_path))}"
