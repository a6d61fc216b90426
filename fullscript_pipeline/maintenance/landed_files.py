"""The landing files of a clinic, wherever pulls land: of this machine, and of all machines in the bucket.

The bucket's are copied to this machine for as long as they are used, since what reads and rewrites them works on files;
then what was changed is put back. A machine's own folder may hold files from before pulls were shared. What does not
belong here: what is done with them.
"""

import hashlib
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from fullscript_pipeline.errors import Busy
from fullscript_pipeline.private_files import create_private_file, make_private_folder
from fullscript_pipeline.settings import Settings
from fullscript_pipeline.state import StateStore
from fullscript_pipeline.warehouse.files import ABANDONED, UNFINISHED, SharedLanding, open_shared_landing


@contextmanager
def landed_folders(settings: Settings, store: StateStore, owner: str) -> Iterator[list[Path]]:
    """The folders of an owner's landing files (`owner`: server/clinic or server/region) within the block.

    What the block changes or removes is changed or removed for every machine. Raises Busy while a run of any machine
    fills one of the bucket's files.
    """
    local = settings.landing_dir / owner
    shared = open_shared_landing(settings)
    if shared is None:
        yield [local]
        return
    with ExitStack() as claimed:
        pulls = [pull for day in shared.files.folders(owner) for pull in shared.unfinished(f"{owner}/{day}")]
        for pull in pulls:
            if (claim := store.landing_claims.take(pull)) is None:
                raise Busy(
                    f"A run is filling {shared.files.address(pull)}; let it finish (or stop it), then try again."
                )
            claimed.callback(claim.release)
        folder = shared.make_work_folder()
        claimed.callback(shutil.rmtree, folder, ignore_errors=True)
        digests = _copy(shared, owner, pulls, folder)
        try:
            yield [local, folder / owner]
        finally:
            _put_back(shared, digests, folder)


def landed_owners(settings: Settings) -> list[str]:
    """Every server/clinic and server/region that has landing files, here or in the bucket."""
    found = {path.relative_to(settings.landing_dir).as_posix() for path in settings.landing_dir.glob("*/*")}
    if shared := open_shared_landing(settings):
        servers = shared.files.folders("")
        found |= {f"{server}/{owner}" for server in servers for owner in shared.files.folders(server)}
    return sorted(found)


def _copy(shared: SharedLanding, owner: str, pulls: list[str], root: Path) -> dict[str, bytes]:
    """Copies the files below `root`; the digest of each by its name. An unfinished pull is one file, put aside."""
    ended = (name for name in shared.files.names_below(owner) if not Path(name).parent.name.endswith(UNFINISHED))
    contents = ((name, shared.files.get(name) or b"") for name in ended)
    unfinished = ((f"{pull}{ABANDONED}", b"".join(shared.frames_of(pull))) for pull in pulls)
    digests = {}
    for found in (contents, unfinished):
        for name, content in found:
            make_private_folder((root / name).parent)
            create_private_file(root / name, content)
            digests[name] = hashlib.sha256(content).digest()
    return digests


def _put_back(shared: SharedLanding, digests: dict[str, bytes], root: Path) -> None:
    """Stores the files that differ now, and removes those that are gone."""
    gone = [name for name in digests if not (root / name).exists()]
    shared.files.delete(gone)
    left = ((name, (root / name).read_bytes()) for name in digests if (root / name).exists())
    changed = []
    for name, content in left:
        if hashlib.sha256(content).digest() != digests[name]:
            shared.files.put(name, content)
            changed.append(name)
    for name in (*gone, *changed):
        if name.endswith(ABANDONED):
            # The frames of an unfinished pull hold what was removed.
            shared.files.delete_folder(f"{name.removesuffix(ABANDONED)}{UNFINISHED}")
