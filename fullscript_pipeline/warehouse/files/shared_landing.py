"""Landing files in a bucket, so that any machine may resume a pull that another one began.

While a pull is not finished, each of its frames is an object (`<pull>.open/0000001`), written before the frame is used.
The objects one after the other are what the file holds. A finished or abandoned pull is one object (`<pull>.frames`). A
process works on a file of its own, which goes with it. What does not belong here: which pull is resumed and who may
fill it (`extraction.engine.shared_claim`), the content of a frame (`landing`).
"""

import fcntl
import os
import shutil
import weakref
from collections.abc import Callable
from pathlib import Path
from tempfile import mkdtemp

from fullscript_pipeline.files import Files, open_files
from fullscript_pipeline.private_files import create_private_file, make_private_folder
from fullscript_pipeline.settings import Settings
from fullscript_pipeline.warehouse.files.frame_file import ABANDONED, FINISHED, UNFINISHED, FrameFile

_LOCK = ".lock"


class SharedLanding:
    """The landing files of all machines. `work_folder`: of this machine, for the files of its processes.

    A pull is named by its place and its own name: server/owner/day/orders.183000-1a2b3c4d. Methods raise as `Files`.
    """

    def __init__(self, files: Files, work_folder: Path) -> None:
        self.files, self._work_folder = files, work_folder

    def unfinished(self, place: str, resource: str = "") -> list[str]:
        """The unfinished pulls of a place (server/owner/day), or those of one resource, the earliest first."""
        begin = f"{resource}." if resource else ""
        found = [name for name in self.files.folders(place) if name.startswith(begin) and name.endswith(UNFINISHED)]
        if not found:
            return []
        ended = set(self.files.names(place))
        left = []
        for pull in (name.removesuffix(UNFINISHED) for name in found):
            if ended & {f"{pull}{FINISHED}", f"{pull}{ABANDONED}"}:
                self._remove_frames(f"{place}/{pull}")  # of a process that ended just before it did that
            else:
                left.append(f"{place}/{pull}")
        return left

    def open(self, pull: str, encryption_key: str | None, require_held: Callable[[], None]) -> "SharedFrameFile":
        """The file of a pull with all that is landed of it. `require_held` raises when the claim is lost."""
        folder = self.make_work_folder()
        path = folder / f"{pull}{UNFINISHED}"
        try:
            if frames := self.frames_of(pull):
                make_private_folder(path.parent)
                create_private_file(path, b"".join(frames))
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        file = SharedFrameFile(path, encryption_key, landing=self, pull=pull, frames=len(frames), check=require_held)
        # It is read after the pull is finished, too.
        weakref.finalize(file, shutil.rmtree, folder, ignore_errors=True)
        return file

    def frames_of(self, pull: str) -> list[bytes]:
        """The frames of an unfinished pull, in order."""
        folder = f"{pull}{UNFINISHED}"
        contents = [self.files.get(f"{folder}/{name}") for name in self.files.names(folder)]
        return [content for content in contents if content is not None]

    def put_frame(self, pull: str, number: int, frame: bytes) -> None:
        """Stores the next frame of an unfinished pull."""
        self.files.put(f"{pull}{UNFINISHED}/{number:07d}", frame)

    def end(self, pull: str, suffix: str, content: bytes) -> None:
        """Makes one object of a pull, which nobody resumes from then on."""
        self.files.put(f"{pull}{suffix}", content)
        self._remove_frames(pull)

    def _remove_frames(self, pull: str) -> None:
        self.files.delete_folder(f"{pull}{UNFINISHED}")

    def make_work_folder(self) -> Path:
        """An empty folder for files of this process; it is gone with the process."""
        return Path(mkdtemp(dir=self._folder_of_process()))

    def _folder_of_process(self) -> Path:
        """This process's folder. Those of processes that are gone are removed."""
        if (made := _folders.get((os.getpid(), self._work_folder))) is None:
            make_private_folder(self._work_folder)
            for folder in self._work_folder.glob("[!.]*"):
                _remove_if_left(folder)
            hidden = Path(mkdtemp(dir=self._work_folder, prefix="."))
            fcntl.flock(os.open(hidden / _LOCK, os.O_RDWR | os.O_CREAT, 0o600), fcntl.LOCK_EX)
            made = _folders[os.getpid(), self._work_folder] = hidden.rename(hidden.with_name(hidden.name[1:]))
        return made


class SharedFrameFile(FrameFile):
    """A landing file whose every frame is stored in the bucket before it counts as landed."""

    def __init__(
        self,
        path: Path,
        encryption_key: str | None,
        *,
        landing: SharedLanding,
        pull: str,
        frames: int,
        check: Callable[[], None],
    ) -> None:
        super().__init__(path, encryption_key)
        self._landing, self._pull, self._frames, self._check = landing, pull, frames, check
        self._is_ending = False

    def finish(self) -> None:
        """Closes the file and makes one object of the pull. This process's file can be read further on."""
        self._is_ending = True
        self.close()
        self.rename(FINISHED)

    def rename(self, suffix: str) -> None:
        """Makes one object of the pull, if anything was landed, which nobody fills from then on."""
        if self.path.exists():
            self._check()
            self._landing.end(self._pull, suffix, self.path.read_bytes())

    def _write(self, frame: bytes) -> None:
        # The closing frame is stored with the whole: until then, another process may go on after the last page.
        if not self._is_ending:
            self._check()
            self._landing.put_frame(self._pull, self._frames + 1, frame)
            self._frames += 1
        super()._write(frame)


def open_shared_landing(settings: Settings) -> SharedLanding | None:
    """The landing files of all machines; None where this machine is the only one, and its folder holds them."""
    if not settings.is_landing_shared:
        return None
    return SharedLanding(open_files(settings, settings.landing_dir.name), settings.data_dir / "tmp" / "landing")


_folders: dict[tuple[int, Path], Path] = {}


def _remove_if_left(folder: Path) -> None:
    """Removes the folder of a process that is gone: nobody holds its lock."""
    try:
        handle = os.open(folder / _LOCK, os.O_RDWR)
    except FileNotFoundError:
        # Its removal was interrupted: a folder has its name only with a lock.
        shutil.rmtree(folder, ignore_errors=True)
        return
    except NotADirectoryError:
        return
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder, ignore_errors=True)
    except BlockingIOError:
        pass
    finally:
        os.close(handle)
