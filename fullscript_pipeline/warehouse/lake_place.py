"""Where a lake is, the credentials of its bucket, and DuckDB's errors about either as sentences.

What does not belong here: who is in the catalog's database (`lake_catalog`), reading and writing (`lake`).
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import duckdb

from fullscript_pipeline.errors import Busy, ConfigurationError, PipelineError, ServiceUnavailable
from fullscript_pipeline.files import server_address
from fullscript_pipeline.machine_errors import stop_signal_in
from fullscript_pipeline.warehouse.duckdb_errors import first_line
from fullscript_pipeline.warehouse.duckdb_sql import quoted
from fullscript_pipeline.warehouse.lake_catalog import REFUSALS, LakeCatalog

_REFUSED_BY_BUCKET = ("HTTP 403", "403 (Forbidden)", "AccessDenied", "Forbidden")
_MISSING = ("HTTP 404", "404 (Not Found)", "NoSuchKey", "No such file")
# How libpq tells of a connection that could not be made, or has ended.
_CATALOG_WORDS = (
    *("connect to Postgres", "connection to server", "connection to the server", "server closed"),
    *("terminating connection", "data from server", "data to server", "SSL"),
)


@dataclass(frozen=True, kw_only=True)
class LakePlace:
    """`catalog`: for libpq, perhaps with a password. `files`: a folder, or `s3://bucket/prefix`."""

    catalog: str = field(repr=False)
    files: str


@contextmanager
def explained(at: LakePlace, catalog: LakeCatalog) -> Iterator[None]:
    """Turns an error of DuckDB about the catalog or the bucket into a sentence without a password."""
    try:
        yield
    except (duckdb.CatalogException, duckdb.BinderException):
        raise  # a statement of ours is wrong, or a table is missing
    except duckdb.Error as error:
        says = str(error)
        if isinstance(error, duckdb.TransactionException) and "conflict" in says.lower():
            raise Busy(
                f"Another program wrote to the lake in {catalog.place} outside its turn: run this again."
            ) from None
        if isinstance(error, duckdb.HTTPException):
            raise _error_of_files(at, error) from None
        if any(words in says for words in (*_CATALOG_WORDS, *REFUSALS)):
            raise catalog.told(Exception(first_line(error).replace(at.catalog, "..."))) from None
        if isinstance(error, duckdb.IOException):
            raise _error_of_files(at, error) from None
        raise
    except RuntimeError as error:
        if stop := stop_signal_in(error):
            raise stop from None
        raise


def _error_of_files(at: LakePlace, error: duckdb.Error) -> PipelineError:
    says = str(error)
    if any(words in says for words in _MISSING):
        return ConfigurationError(
            f"A file of the lake at {at.files} is missing, so what it held cannot be read: bring it back from the "
            "bucket's versions or a backup; if FULLSCRIPT_FILES_URL was changed, set it as it was."
        )
    if not at.files.startswith("s3://"):
        return ConfigurationError(
            f"The files of the lake at {at.files} cannot be read or written: {first_line(error)} Check the folder's "
            "permissions and free space."
        )
    if any(words in says for words in _REFUSED_BY_BUCKET):
        return ConfigurationError(
            f"The bucket of the lake at {at.files} refuses these credentials: set AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY of a user that may list, read, write and delete there."
        )
    return ServiceUnavailable(
        f"The files of the lake at {at.files} cannot be reached: check AWS_ENDPOINT_URL, AWS_REGION and the network, "
        "then run the command again."
    )


def secret_of_bucket(place: str) -> str:
    """The statement that gives DuckDB the credentials of AWS's variables. Raises ConfigurationError without them."""
    key_id, secret = os.environ.get("AWS_ACCESS_KEY_ID", ""), os.environ.get("AWS_SECRET_ACCESS_KEY", "")
    if not (key_id and secret):
        raise ConfigurationError(
            f"The files of the lake are at {place}: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY of a user that may "
            "list, read, write and delete there."
        )
    address = server_address()
    options = {
        "KEY_ID": key_id,
        "SECRET": secret,
        "REGION": os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1",
        "SESSION_TOKEN": os.environ.get("AWS_SESSION_TOKEN", ""),
        "ENDPOINT": address.partition("://")[2].rstrip("/"),
        "URL_STYLE": "path" if address else "vhost",
        "USE_SSL": "false" if address.startswith("http:") else "true",
    }
    listed = ", ".join(f"{name} {quoted(value)}" for name, value in options.items() if value)
    return f"CREATE OR REPLACE SECRET lake_files (TYPE s3, SCOPE {quoted(place)}, {listed})"
