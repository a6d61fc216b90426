"""Checks of settings and files: apps, the encryption key, file modes, disk space.

What does not belong here: anything that sends a request or opens a store.
"""

import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

from fullscript_pipeline.encryption import guessable, has_record
from fullscript_pipeline.errors import ConfigurationError, PipelineError
from fullscript_pipeline.health.finding import Finding, failed, passed, skipped, warned
from fullscript_pipeline.health.volume import is_encrypted
from fullscript_pipeline.settings import (
    ServerSettings,
    Settings,
    encryption_keys,
    foreign_address_advice,
    read_dotenv,
    unknown_variables,
)

_GIB = 1024**3
_KEY_FIX = "Set FULLSCRIPT_ENCRYPTION_KEY (or _FILE, _COMMAND) to a key that `fullscript-pipeline keys new` prints"
_CONFIGURATION = 78


def check_setup(settings: Settings, kind: str | None) -> Iterator[Finding]:
    """`kind`: what the data directory holds (sandbox or production); None before the first clinic is connected."""
    yield from _check_apps(settings)
    yield _check_key(settings)
    yield _check_clock(kind)
    yield _check_names()
    yield _check_ui(settings)
    yield from _check_file_modes(settings)
    yield _check_disk(settings)
    yield _check_volume(settings, kind)


def configured_servers(settings: Settings) -> list[ServerSettings]:
    """The servers whose app has both an id and a secret."""
    return [server for server in settings.servers.values() if server.client_id and server.client_secret]


def _check_apps(settings: Settings) -> Iterator[Finding]:
    for server in settings.servers.values():
        if bool(server.client_id) != bool(server.client_secret):
            missing = server.variable("CLIENT_SECRET" if server.client_id else "CLIENT_ID")
            yield failed(
                f"settings.{server.name}.app", f"{missing} is not set", f"Set {missing} as well.", _CONFIGURATION
            )
        elif server.client_id and server.is_production and not settings.encryption_key:
            what = f"server {server.name} holds real patients and no encryption key is set"
            yield failed(f"settings.{server.name}.app", what, f"{_KEY_FIX}.", _CONFIGURATION)
        elif server.client_id and (foreign := server.foreign_address()):
            what = f"{foreign[0]} is set to {foreign[1]}, which is not the vendor's"
            yield failed(f"settings.{server.name}.app", what, foreign_address_advice(*foreign), _CONFIGURATION)
        elif server.client_id:
            yield passed(f"settings.{server.name}.app", f"configured for {server.api_url}")
    if not any(server.client_id or server.client_secret for server in settings.servers.values()):
        fix = "Set FULLSCRIPT_<ENV>_CLIENT_ID and _CLIENT_SECRET from the vendor's API dashboard."
        yield failed("settings.apps", "no server has an app", fix, _CONFIGURATION)


def _check_key(settings: Settings) -> Finding:
    keys = encryption_keys(settings.encryption_key)
    if not keys:
        return skipped("settings.key", "no encryption key is set (sandbox servers do not need one)")
    try:
        in_force = settings.warehouse_key
    except PipelineError as problem:  # interrupted, under way, or another key
        return failed("settings.key", str(problem), "Do as described.", problem.exit_code)
    # After `keys rotate`, nothing is encrypted with an old key that is still listed.
    if weak := guessable([in_force] if in_force and has_record(settings.data_dir) else keys):
        fix = f"{_KEY_FIX}. If data are stored already, set it to both keys (new,old) and run `keys rotate`."
        return failed("settings.key", f"{weak} can be guessed: it is short, words or a pattern", fix, _CONFIGURATION)
    return passed("settings.key", f"strong; {len(keys)} are set" if len(keys) > 1 else "strong")


def _check_clock(kind: str | None) -> Finding:
    moved = os.environ.get("FULLSCRIPT_NOW", "").strip()
    if moved and kind == "production":
        return failed("settings.now", "FULLSCRIPT_NOW is set for production data", "Unset it.", _CONFIGURATION)
    return passed(
        "settings.now", f"the data's clock is set to {moved}" if moved else "the data's clock is the real one"
    )


def _check_names() -> Finding:
    """A misspelled variable sets nothing, and nothing else reports it."""
    unknown = unknown_variables()
    if not unknown:
        return passed("settings.unknown", "every FULLSCRIPT_ variable is a known setting")
    names = [f"{name} (did you mean {meant}?)" if meant else name for name, meant in unknown.items()]
    what = f"unknown, so without effect: {', '.join(names)}"
    return warned("settings.unknown", what, "Correct the name (docs/operations.md lists all settings), or remove it.")


def _check_ui(settings: Settings) -> Finding:
    if settings.ui_sign_in:
        return passed("settings.ui", "the Dagster UI requires a sign-in link")
    what = "FULLSCRIPT_UI_SIGN_IN is off: everybody who reaches the Dagster UI can start and delete runs"
    return warned("settings.ui", what, "Unset it, unless a proxy with its own login protects the UI.")


def _check_file_modes(settings: Settings) -> Iterator[Finding]:
    try:
        read_dotenv(Path(".env"))
    except ConfigurationError as problem:
        what, _, fix = str(problem).partition(": ")
        yield failed("files.dotenv", what, fix, _CONFIGURATION)
    folder = settings.data_dir
    if not folder.exists():
        yield skipped("files.modes", f"the data directory {folder} does not exist yet")
        return
    try:
        yield _check_private(folder)
    except OSError as problem:
        yield skipped("files.modes", f"{folder} cannot be read ({problem.strerror})")
    if os.access(folder, os.W_OK | os.X_OK):
        yield passed("files.writable", f"{folder} can be written to")
    else:
        why, fix = _explain_unwritable(folder)
        yield failed("files.writable", f"{folder} cannot be written to; {why}", fix, _CONFIGURATION)


def _explain_unwritable(folder: Path) -> tuple[str, str]:
    """The reason and the fix."""
    if os.statvfs(folder).f_flag & os.ST_RDONLY:
        return "its disk is mounted read-only", "Mount it writable, or move the data directory to another disk."
    if folder.stat().st_uid == os.getuid():
        return "its owner (you) has no write permission", f"chmod u+rwx {folder}"
    return (
        f"it belongs to user {folder.stat().st_uid}",
        "Run as that user, or set FULLSCRIPT_DATA_DIR to your own folder.",
    )


def _check_private(folder: Path) -> Finding:
    """Checks the data directory and its direct entries: a private folder protects everything in it."""
    paths = [folder, *sorted(folder.iterdir())]
    exposed = [path for path in paths if not path.is_symlink() and path.lstat().st_mode & 0o077]
    exposed = [path for path in exposed if path.name != ".gitkeep"]
    if not exposed:
        return passed("files.modes", f"{folder} and its contents are private")
    names = ", ".join(str(path) for path in exposed[:5]) + (" ..." if len(exposed) > 5 else "")
    what = f"other users can read {len(exposed)} files and folders: {names}"
    if folder.stat().st_uid != os.getuid() or not _is_dedicated(folder):
        # To remove permissions of a home, a shared folder or another user's folder would break something else.
        fix = f"Set FULLSCRIPT_DATA_DIR to a new folder; {folder} is used for other things too."
        return failed("files.modes", what, fix)
    return failed("files.modes", what, f"chmod -R go= {folder}")


def _is_dedicated(folder: Path) -> bool:
    """Whether only this program seems to use the folder."""
    here = Path.cwd()
    used = folder == Path.home() or folder in {here, *here.parents} or bool(folder.stat().st_mode & stat.S_ISVTX)
    names = {"state.sqlite", "fullscript.duckdb", "dagster_home", "landing", "reports"}
    return not used and (any((folder / name).exists() for name in names) or not any(folder.iterdir()))


def _check_disk(settings: Settings) -> Finding:
    folder = _nearest_existing(settings.data_dir)
    free = shutil.disk_usage(folder).free
    try:
        size = settings.warehouse_path.stat().st_size
    except OSError:  # there is none yet, or it cannot be read
        size = 0
    # The published copy and a rebuilt file each need room for another warehouse.
    needed = max(_GIB, 2 * size)
    what = f"{free / _GIB:.1f} GiB free, {needed / _GIB:.1f} needed"
    if free < needed:
        return failed("files.disk", what, f"Free space on the volume of {folder}, or move the data directory.")
    return passed("files.disk", what)


def _check_volume(settings: Settings, kind: str | None) -> Finding:
    if settings.encryption_key:
        return passed("files.volume", "an encryption key is set, so the volume need not be encrypted")
    encrypted = is_encrypted(_nearest_existing(settings.data_dir))
    if encrypted:
        return passed("files.volume", "no encryption key is set, but the volume is encrypted")
    if kind == "sandbox" or (kind is None and not any(server.is_production for server in configured_servers(settings))):
        return skipped("files.volume", "the data directory is for sandbox data only")
    if encrypted is None:
        return skipped("files.volume", "no encryption key is set, and it is unknown whether the volume is encrypted")
    fix = f"{_KEY_FIX}, or move the data directory to an encrypted volume."
    return failed("files.volume", "no encryption key is set and the volume is not encrypted", fix)


def _nearest_existing(folder: Path) -> Path:
    """The folder, or its nearest ancestor that exists."""
    return next(path for path in (folder, *folder.parents) if path.exists())
