"""What goes into a statement of DuckDB that takes no parameter: a text, a key, the file of an extension.

What does not belong here: statements.
"""

import importlib.util
from pathlib import Path

import duckdb

from fullscript_pipeline.errors import ConfigurationError


def extension_file(name: str) -> Path:
    """An extension's file from its wheel: nothing may be downloaded. `httpfs` holds the cipher for encrypted files."""
    package = f"duckdb-extension-{name.replace('_', '-')}"
    spec = importlib.util.find_spec(package.replace("-", "_"))
    if spec is None or spec.origin is None:
        advice = "set the environment up with `make`" if name == "httpfs" else "install the extra `distributed`"
        raise ConfigurationError(f"The package {package} is missing: {advice}.")
    return Path(spec.origin).parent / "extensions" / f"v{duckdb.__version__}" / f"{name}.duckdb_extension"


def quoted_key(key: str) -> str:
    """Quotes a key for DuckDB, which reads it as bytes: ASCII stays as it is, others become `\\xC3\\xBC`."""
    return quoted("".join(chr(b) if 32 <= b < 127 and b != 92 else f"\\x{b:02X}" for b in key.encode()))


def quoted(value: str | Path) -> str:
    """A text literal of SQL."""
    return "'" + str(value).replace("'", "''") + "'"
