"""Files in a folder of this machine: 0600 in folders 0700, written under another name and renamed.

What does not belong here: names with a meaning.
"""

import os
import secrets
import shutil
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from fullscript_pipeline.errors import ConfigurationError
from fullscript_pipeline.private_files import create_private_file, make_private_folder


class FolderFiles:
    """The files below a folder, which need not exist yet."""

    is_local = True

    def __init__(self, root: Path) -> None:
        self._root = root

    def address(self, name: str) -> str:
        return str(self._root / name)

    def put(self, name: str, content: bytes | Path) -> None:
        path = self._root / name
        temporary = content if isinstance(content, Path) else path.parent / f".writing-{secrets.token_hex(6)}"
        try:
            make_private_folder(path.parent)
            if isinstance(content, bytes):
                create_private_file(temporary, content)
            temporary.replace(path)
        except OSError as error:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise ConfigurationError(
                f"The folder {self._root} cannot be written ({error.strerror}); free space, or make this user the "
                "owner of the folder, then run the command again."
            ) from None

    def get(self, name: str) -> bytes | None:
        try:
            return (self._root / name).read_bytes()
        except FileNotFoundError:
            return None

    def exists(self, name: str) -> bool:
        return (self._root / name).exists()

    def version(self, name: str) -> str | None:
        try:
            status = (self._root / name).stat()
        except FileNotFoundError:
            return None
        return f"{status.st_mtime_ns}-{status.st_size}"

    def names(self, folder: str) -> list[str]:
        return sorted(entry.name for entry in self._entries(folder) if entry.is_file())

    def names_below(self, folder: str) -> list[str]:
        found: list[str] = []
        for parent, _, names in os.walk(self._root / folder):
            below = parent[len(str(self._root)) + 1 :]
            found += (f"{below}/{name}" if below else name for name in names if not name.startswith("."))
        return sorted(found)

    def sizes_below(self, folder: str) -> list[int]:
        return [(self._root / name).stat().st_size for name in self.names_below(folder)]

    def folders(self, folder: str) -> list[str]:
        return sorted(entry.name for entry in self._entries(folder) if entry.is_dir())

    def delete(self, names: Iterable[str]) -> None:
        for name in names:
            (self._root / name).unlink(missing_ok=True)

    def delete_folder(self, folder: str) -> int:
        number = sum(path.is_file() for path in (self._root / folder).rglob("*"))
        shutil.rmtree(self._root / folder, ignore_errors=True)
        return number

    def _entries(self, folder: str) -> list["os.DirEntry[str]"]:
        """What is in the folder but temporary files, which begin with a dot."""
        try:
            with os.scandir(self._root / folder) as entries:
                return [entry for entry in entries if not entry.name.startswith(".")]
        except (FileNotFoundError, NotADirectoryError):
            return []
