"""A landing file: appends and syncs frames, cuts a torn end, and reports damage with its place.

A finished file (`.frames`) ends with a closing frame. Only an unfinished file can have a torn end, from a crash during
a write: the next pull cuts it and fetches that page again. Anything else that cannot be read is damage.
What does not belong here: how a frame is sealed (`frame_format`), what it says (`landing`).
"""

import errno
import os
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import orjson

from fullscript_pipeline.errors import PipelineError
from fullscript_pipeline.plural import counted
from fullscript_pipeline.private_files import make_private_folder
from fullscript_pipeline.warehouse.files.frame_format import Frame, FrameFormat, Gap
from fullscript_pipeline.warehouse.landing import Line, Request, Size, parse_lines, parse_request

FINISHED, UNFINISHED, ABANDONED = ".frames", ".open", ".abandoned"


class DiskTrouble(PipelineError):
    """A received page cannot be written."""

    exit_code = 78


class LandingDamage(PipelineError):
    """A landing file does not hold what was written."""

    exit_code = 78


class FrameFile:
    """An append-only file of frames; safe for several threads of one process.

    `place`: the path that its frames are bound to (server, owner, day and pull), by default its own.
    """

    def __init__(self, path: Path, encryption_key: str | None = None, *, place: Path | None = None) -> None:
        self.path = path
        self._format = FrameFormat(encryption_key, place or path)
        self._lock = threading.Lock()
        self._written: int | None = None
        self.appended = 0
        self.appended_pages = 0
        self.size = Size()
        self._first_walks: dict[tuple[str, str], int] = {}

    def append(self, request: Request, lines: Sequence[bytes]) -> None:
        """Writes one frame and syncs it, so that it survives a crash. Raises DiskTrouble, and leaves no part then."""
        text = b"\n".join((orjson.dumps({"frame": request}), *lines))
        with self._lock:
            self._append(text)
            self.appended += 1
            self.appended_pages += request.total_count is not None or request.records != 1
            self.size = self.size.plus(lines)

    def close(self) -> None:
        """Appends the closing frame, if anything was landed. From then on, a missing part is damage."""
        if self.path.exists():
            with self._lock:
                self._append(b"", is_closing=True)

    def finish(self) -> None:
        """Closes the file and renames it to `.frames`."""
        self.close()
        self.rename(FINISHED)

    def rename(self, suffix: str) -> None:
        """Gives the file another suffix, if anything was landed."""
        if self.path.exists():
            self.path = self.path.rename(self.path.with_suffix(suffix))

    def only_from(self, endpoint: str, key: str, walk: int) -> None:
        """Skips the frames of earlier walks of this list: the list changed while they were read."""
        self._first_walks[endpoint, key] = walk

    def frames(self) -> Iterator[tuple[Request, list[bytes]]]:
        """Yields every frame in order.

        Raises ConfigurationError at once if another key sealed the file. Raises LandingDamage after the last readable
        frame if any part could not be read.
        """
        check = _IntegrityCheck(self._written)
        for piece in self._pieces():
            check.add_piece(piece)
            if isinstance(piece, Frame) and not piece.is_closing:
                head, *lines = piece.text.split(b"\n")
                request = parse_request(head)
                if request.walk >= self._first_walks.get((request.endpoint, request.key), 1):
                    yield request, lines
        check.raise_damage(self.path)

    def records(self) -> Iterator[tuple[Request, Iterator[Line]]]:
        """Yields every frame with its records. Raises as `frames` does."""
        for request, lines in self.frames():
            yield request, parse_lines(lines, request.parent_id)

    def requests(self) -> list[Request]:
        """The requests that the frames answer. Raises as `frames` does."""
        return [request for request, _ in self.frames()]

    def lines(self, endpoint: str | None = None) -> Iterator[Line]:
        """Yields every record in the order received, or those of one endpoint. Raises as `frames` does."""
        for request, lines in self.frames():
            if endpoint is None or request.endpoint == endpoint:
                yield from parse_lines(lines, request.parent_id)

    def cut_torn_end(self) -> None:
        """Cuts off a frame that a crash left unfinished, so that the next append starts after a complete frame."""
        if not self.path.exists():
            return
        frame_count, torn = 0, None
        for piece in self._pieces():
            frame_count += isinstance(piece, Frame)
            if isinstance(piece, Gap) and piece.end is None:
                torn = piece.start
        if torn is not None:
            os.truncate(self.path, torn)
        self._written = frame_count

    def _append(self, text: bytes, *, is_closing: bool = False) -> None:
        if self._written is None:
            self._written = sum(isinstance(piece, Frame) for piece in self._pieces())
        self._write(self._format.seal_text(text, self._written + 1, is_closing=is_closing))
        self._written += 1

    def _pieces(self) -> Iterator[Frame | Gap]:
        if self.path.exists():
            yield from self._format.pieces(self.path)

    def _write(self, frame: bytes) -> None:
        try:
            make_private_folder(self.path.parent)
            descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            with os.fdopen(descriptor, "ab", buffering=0) as file:
                before = os.fstat(descriptor).st_size
                try:
                    if file.write(frame) != len(frame):
                        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                    os.fsync(descriptor)
                except OSError:
                    os.truncate(descriptor, before)  # half a frame would look like damage
                    raise
        except OSError as problem:
            raise DiskTrouble(
                f"{self.path} cannot be written ({problem.strerror}); free some space or correct the folder's "
                "permissions, then pull again: pages that are landed are not fetched again."
            ) from None


class _IntegrityCheck:
    """Checks, piece by piece, that a file holds all that was written."""

    def __init__(self, written: int | None) -> None:
        self._expected = written
        self._frames = 0
        self._next_number: int | None = 1
        self._numbered = False
        self._closed = False
        self._torn: int | None = None
        self._damaged: list[int] = []

    def add_piece(self, piece: Frame | Gap) -> None:
        """Checks the next piece of the file."""
        if isinstance(piece, Gap):
            self._next_number = None
            if piece.end is None:
                self._torn = piece.start
            else:
                self._damaged.append(piece.start)
            return
        if self._closed or (piece.number and self._next_number and piece.number != self._next_number):
            self._damaged.append(piece.start)
        self._frames += 1
        self._numbered |= piece.number is not None
        self._next_number = piece.number + 1 if piece.number else self._next_number and self._next_number + 1
        self._closed |= piece.is_closing

    def raise_damage(self, path: Path) -> None:
        """Raises LandingDamage unless everything that was written could be read."""
        places = list(self._damaged)
        size = path.stat().st_size if path.exists() else 0
        is_finished = path.suffix == FINISHED and path.exists()
        lacks_end = (self._expected or 0) > self._frames
        lacks_closing = is_finished and not self._closed and (self._numbered or not self._frames)
        if is_finished or lacks_end:
            places += [] if self._torn is None else [self._torn]
        if (lacks_end or lacks_closing) and not places:
            places.append(size)
        if not places:
            return
        more = f" and {counted(len(places) - 1, 'more place')}" if len(places) > 1 else ""
        raise LandingDamage(
            f"The landing file {path} is damaged at byte {places[0]}{more}; {counted(self._frames, 'frame')} of it can "
            "be read. Bring it back from a backup, or move it out of the data directory (what it holds was received "
            "from Fullscript and can be pulled again), then run the command again."
        )
