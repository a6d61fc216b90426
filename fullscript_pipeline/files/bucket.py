"""Files in a bucket of an S3 server, by obstore. Credentials and the server's address are in AWS's own variables.

This module is imported only where FULLSCRIPT_FILES_URL names a bucket. An object is replaced as a whole by S3 itself.
No error text repeats an answer of the server, which holds names of objects. What does not belong here: names with a
meaning.
"""

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import BaseError, NotFoundError, PermissionDeniedError, UnauthenticatedError
from obstore.store import S3Store

from fullscript_pipeline.errors import ConfigurationError, PipelineError, ServiceUnavailable
from fullscript_pipeline.files.server_address import server_address

# Of a request that failed on the way, within a minute.
RETRIES = 4
_CODE = re.compile(r"<Code>(\w{1,60})</Code>")
_STATUS = re.compile(r"status code: (\d{3})")
_REFUSALS = {"401", "403", "AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken"}
_NO_BUCKET = "NoSuchBucket"


class BucketFiles:
    """The objects below a place in a bucket: `s3://bucket/prefix`."""

    is_local = False

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")
        parts = urlsplit(self._url)
        self._store = S3Store(
            parts.netloc,
            prefix=parts.path.strip("/") or None,
            client_options={"allow_http": server_address().startswith("http:"), "timeout": "60s"},
            retry_config={"max_retries": RETRIES, "retry_timeout": timedelta(seconds=60)},
        )

    def address(self, name: str) -> str:
        return f"{self._url}/{name}" if name else self._url

    def put(self, name: str, content: bytes | Path) -> None:
        with self._answers():
            obstore.put(self._store, name, content)

    def get(self, name: str) -> bytes | None:
        with self._answers():
            try:
                return bytes(obstore.get(self._store, name).bytes())
            except (FileNotFoundError, NotFoundError) as error:
                _require_bucket(error)
        return None

    def exists(self, name: str) -> bool:
        return self.version(name) is not None

    def version(self, name: str) -> str | None:
        with self._answers():
            try:
                found = obstore.head(self._store, name)
            except (FileNotFoundError, NotFoundError):
                return None
        return f"{found['e_tag']} {found['last_modified']} {found['size']}"

    def names(self, folder: str) -> list[str]:
        with self._answers():
            listed = obstore.list_with_delimiter(self._store, folder or None)
        return sorted(entry["path"].rpartition("/")[2] for entry in listed["objects"])

    def names_below(self, folder: str) -> list[str]:
        with self._answers():
            return sorted(entry["path"] for batch in obstore.list(self._store, folder or None) for entry in batch)

    def sizes_below(self, folder: str) -> list[int]:
        with self._answers():
            return [entry["size"] for batch in obstore.list(self._store, folder or None) for entry in batch]

    def folders(self, folder: str) -> list[str]:
        with self._answers():
            listed = obstore.list_with_delimiter(self._store, folder or None)
        return sorted(path.rstrip("/").rpartition("/")[2] for path in listed["common_prefixes"])

    def delete(self, names: Iterable[str]) -> None:
        if paths := list(names):
            with self._answers():
                obstore.delete(self._store, paths)

    def delete_folder(self, folder: str) -> int:
        names = self.names_below(folder)
        self.delete(names)
        return len(names)

    @contextmanager
    def _answers(self) -> Iterator[None]:
        """Turns what obstore raises into an error with a sentence."""
        try:
            yield
        except (BaseError, OSError) as error:
            raise self._told(error) from None

    def _told(self, error: Exception) -> PipelineError:
        code = _reason(error)
        if code == _NO_BUCKET:
            return ConfigurationError(
                f"There is no bucket for {self._url}: create it, or correct FULLSCRIPT_FILES_URL (its name) or "
                "AWS_ENDPOINT_URL (its server)."
            )
        if code in _REFUSALS or isinstance(error, PermissionDeniedError | UnauthenticatedError):
            return ConfigurationError(
                f"The bucket at {self._url} refuses these credentials ({code}): set AWS_ACCESS_KEY_ID and "
                "AWS_SECRET_ACCESS_KEY of a user that may list, read, write and delete there."
            )
        return ServiceUnavailable(
            f"The bucket at {self._url} does not answer ({code}): check AWS_ENDPOINT_URL, AWS_REGION and the network, "
            "then run the command again."
        )


def _require_bucket(error: Exception) -> None:
    """Raises the error again where the whole bucket is missing: then it does not say that a file is."""
    if _reason(error) == _NO_BUCKET:
        raise error


def _reason(error: Exception) -> str:
    """The server's code or status, else a word; never the rest of an answer."""
    text = str(error)
    found = _CODE.search(text) or _STATUS.search(text)
    return found[1] if found else "no connection"
