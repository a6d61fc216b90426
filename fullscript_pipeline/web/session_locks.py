"""A lock for each open session: its tokens are renewed once, however many requests need it.

What does not belong here: renewing.
"""

import threading

_MOST_LOCKS = 10_000
_guard = threading.Lock()
_locks: dict[str, threading.Lock] = {}


def session_lock(key: str) -> threading.Lock:
    """The lock of a session's renewal."""
    with _guard:
        if len(_locks) > _MOST_LOCKS:
            for unused in [name for name, lock in _locks.items() if not lock.locked()]:
                del _locks[unused]
        return _locks.setdefault(key, threading.Lock())
