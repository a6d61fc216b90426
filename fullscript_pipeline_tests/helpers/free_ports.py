"""Ports for servers that a test starts later, or that must answer nothing.

What does not belong here: starting servers; a server that can choose its port itself listens on port 0.
"""

import random
import socket

# Below the ports that systems give to outgoing connections (Linux: from 32768, others: from 49152). One of those may be
# taken by any client between the moment that a test chooses it and the moment that its server listens there.
_PORTS_OF_SERVERS = range(20_000, 32_000)

_random = random.SystemRandom()
_given: set[int] = set()


def free_port() -> int:
    """A port of 127.0.0.1 that is free now, that no outgoing connection gets, and that this process gave to nobody yet.

    The workers of a test run choose at random, so that two of them hardly ever choose the same.
    """
    for port in _random.sample(_PORTS_OF_SERVERS, len(_PORTS_OF_SERVERS)):
        if port not in _given and _is_free(port):
            _given.add(port)
            return port
    raise OSError(f"No port from {_PORTS_OF_SERVERS.start} to {_PORTS_OF_SERVERS.stop - 1} is free: end some servers.")


def free_redirect_uri() -> str:
    """Where a sign-in comes back to, on a free port."""
    return f"http://127.0.0.1:{free_port()}/callback"


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
