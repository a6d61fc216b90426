"""Whether a folder lies on an encrypted volume, as far as the operating system tells.

What does not belong here: encryption of our own files.
"""

import os
from pathlib import Path

import psutil

_ENCRYPTING = frozenset({"ecryptfs", "fuse.gocryptfs", "fuse.encfs", "fuse.cryfs", "fuse.securefs"})


def is_encrypted(folder: Path, sys_block: Path = Path("/sys/dev/block")) -> bool | None:
    """None when it cannot be told: not Linux, a container's overlay, a network share, a disk the provider encrypts.

    `sys_block` is where the kernel shows block devices; replaced in tests.
    """
    if _file_system(folder) in _ENCRYPTING:
        return True
    device = folder.stat().st_dev
    node = sys_block / f"{os.major(device)}:{os.minor(device)}"
    return _any_crypt(node.resolve()) if node.exists() else None


def _any_crypt(node: Path) -> bool:
    """Whether this block device, or one that it is made of, is a dm-crypt volume (LUKS)."""
    name = node / "dm" / "uuid"
    if name.exists() and name.read_text().startswith("CRYPT-"):
        return True
    slaves = node / "slaves"
    return slaves.is_dir() and any(_any_crypt(slave.resolve()) for slave in slaves.iterdir())


def _file_system(folder: Path) -> str:
    """The type of the file system that `folder` is on."""
    mounts = {mount.mountpoint: mount.fstype for mount in psutil.disk_partitions(all=True)}
    real = folder.resolve()
    return next((mounts[str(one)] for one in (real, *real.parents) if str(one) in mounts), "")
