"""What a place for files can do, whether it is a folder or a bucket.

What does not belong here: how (`folder`, `bucket`).
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Protocol


class Files(Protocol):
    """Files by their names below a root (`clinics/green-hill/index.html`). `folder`: a name without its last part.

    Every method raises ConfigurationError where the place cannot be used as it is, ServiceUnavailable where it does not
    answer.
    """

    @property
    def is_local(self) -> bool:
        """Whether each file is a file of this machine, at its address."""
        ...

    def address(self, name: str) -> str:
        """Where the file is, for sentences and records."""
        ...

    def put(self, name: str, content: bytes | Path) -> None:
        """Creates or replaces the file: a reader sees the old one or the new. A `Path` may be moved away."""
        ...

    def get(self, name: str) -> bytes | None:
        """What is in the file; None when there is none."""
        ...

    def exists(self, name: str) -> bool: ...

    def version(self, name: str) -> str | None:
        """Another text whenever the file was replaced; None when there is none."""
        ...

    def names(self, folder: str) -> list[str]:
        """The last parts of the names of the files in the folder itself, sorted."""
        ...

    def names_below(self, folder: str) -> list[str]:
        """The whole names of all files in the folder and in those below it, sorted."""
        ...

    def sizes_below(self, folder: str) -> list[int]:
        """The bytes of each file in the folder and in those below it."""
        ...

    def folders(self, folder: str) -> list[str]:
        """The last parts of the names of the folders in the folder itself, sorted."""
        ...

    def delete(self, names: Iterable[str]) -> None:
        """Removes the files; one that does not exist is none to remove."""
        ...

    def delete_folder(self, folder: str) -> int:
        """Removes the folder with all that is below it. Returns how many files there were."""
        ...
