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

from fullscript_pipeline.errors import Busy, ConfigurationError
from fullscript_pipeline.files import open_files
from fullscript_pipeline.private_files import create_private_file, make_private_folder
from fullscript_pipeline.settings import Settings
from fullscript_pipeline.state import StateStore
from fullscript_pipeline.warehouse.files import ABANDONED, UNFINISHED, LandingDamage, SharedLanding, open_shared_landing


@contextmanager
def landed_folders(settings: Settings, store: StateStore, owner: str) -> Iterator[list[Path]]:
    """The folders of an owner's landing files (`owner`: server/clinic or server/region) within the block.

    What the block changes or removes is changed or removed for every machine. Raises Busy while a run of any machine
    fills one of the bucket's files, ConfigurationError where files are in a bucket that is not used any more.
    """
    local = settings.landing_dir / owner
    shared = open_shared_landing(settings)
    if shared is None:
        _require_none_in_bucket(settings, owner)
        yield [local]
        return
    with ExitStack() as claimed:
        pulls = _unfinished(shared, owner)
        for pull in pulls:
            if (claim := store.landing_claims.take(pull)) is None:
                raise Busy(
                    f"A run is filling {shared.files.address(pull)}; let it finish (or stop it), then try again."
                )
            claimed.callback(claim.release)
        folder = shared.make_work_folder()
        claimed.callback(shutil.rmtree, folder, ignore_errors=True)
        digests = _copy(shared, owner, pulls, folder)
        if _unfinished(shared, owner) != pulls:
            raise Busy(f"A run began to land pages of {owner}; let it finish (or stop it), then try again.")
        try:
            yield [local, folder / owner]
        except (LandingDamage, ConfigurationError) as problem:
            raise type(problem)(_told_of_bucket(str(problem), shared, pulls, folder)) from None
        finally:
            _put_back(shared, digests, folder)


def _require_none_in_bucket(settings: Settings, owner: str) -> None:
    """Raises ConfigurationError where the state store was moved back into a file, and pages are left in the bucket."""
    if settings.bucket_url is None:
        return
    files = open_files(settings, settings.landing_dir.name)
    if files.names_below(owner):
        raise ConfigurationError(
            f"Pages that landed while the state store was on PostgreSQL are still in {files.address(owner)}, which "
            "this command does not reach now: copy what you keep, delete that folder, then run the command again."
        )


def _unfinished(shared: SharedLanding, owner: str) -> list[str]:
    return [pull for day in shared.files.folders(owner) for pull in shared.unfinished(f"{owner}/{day}")]


def _told_of_bucket(text: str, shared: SharedLanding, pulls: list[str], folder: Path) -> str:
    """A sentence about a copy, as one about what it is a copy of."""
    text = text.replace(f"{folder}/", f"{shared.files.address('')}/")
    for pull in pulls:
        text = text.replace(f"{pull}{ABANDONED}", f"{pull}{UNFINISHED}")
    return text


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
    fetched = ((name, shared.files.get(name)) for name in ended)
    # One that is gone by now was too old, and was removed by another machine.
    contents = ((name, content) for name, content in fetched if content is not None)
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
