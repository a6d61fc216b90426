"""Tells names that no file or folder can have on some system to which a data directory may be copied.

What does not belong here: how a page or a landing file is named (`reports.store`, `extraction.engine.pull_types`).
"""

import re

_DEVICE = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)


def is_device_name(name: str) -> bool:
    """Whether Windows takes the name for a device, with any suffix: `con`, `nul.txt`, `COM1`."""
    return bool(_DEVICE.fullmatch(name))
