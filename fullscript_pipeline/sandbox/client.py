"""A caller of the sandbox's control plane, for the command line and for tests.

What does not belong here: calls of the API itself.
"""

from datetime import date
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx

from fullscript_pipeline.sandbox.errors import SandboxError

# The running server's base URL, one line, in the sandbox's directory for as long as the server runs.
ADDRESS_FILE = "address"
# Advancing by years takes a while; everything else answers at once.
TIMEOUT = httpx.Timeout(120, connect=5)


class SandboxControl:
    """The control plane of the sandbox at `base_url`. Every method raises SandboxError with the server's sentence."""

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url.rstrip("/")
        # Loopback only: a proxy from the environment has no business here.
        self._http = httpx.Client(base_url=self.base_url, timeout=TIMEOUT, trust_env=False)

    def __enter__(self) -> "SandboxControl":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Gives the connection back."""
        self._http.close()

    def state(self) -> dict[str, Any]:
        """Clock, servers with their app's credentials, clinics."""
        return self._request("GET", "state")

    def advance(self, *, days: int | None = None, to: date | str | None = None) -> dict[str, Any]:
        """Moves the clock; returns what happened, by clinic, region and in total."""
        return self._request("POST", "advance", {"days": days} if to is None else {"to": str(to)})

    def requests(self) -> dict[str, Any]:
        """The requests to the API since the last reset."""
        return self._request("GET", "requests")

    def reset_requests(self) -> None:
        """Starts counting afresh."""
        self._request("POST", "requests/reset")

    def expire_tokens(self) -> int:
        """Expires every access token now; returns how many were valid."""
        return int(self._request("POST", "tokens/expire")["expired"])

    def revoke(self, clinic: str) -> int:
        """Takes back the authorization of the clinic with this slug; returns how many tokens that revoked."""
        return int(self._request("POST", "tokens/revoke", {"clinic": clinic})["revoked"])

    def change(self, **options: Any) -> None:
        """Changes settings of the running sandbox: limits, response variants, scopes, who sees whom."""
        self._request("POST", "settings", options)

    def merge(self, clinic: str, survivor_id: str, merged_id: str) -> None:
        """Two patients of the clinic with this slug are merged into one; the event is `patient.merged`."""
        self._request("POST", "merge", {"clinic": clinic, "kept": survivor_id, "merged": merged_id})

    def faults(self) -> dict[str, Any]:
        """Every kind of fault, what is armed and how often it struck."""
        return self._request("GET", "faults")

    def arm(self, kind: str, **rule: Any) -> dict[str, Any]:
        """Arms a fault; `rule` has the other fields of `faults.Rule`; count None means always."""
        return self._request("POST", "faults", {"kind": kind, **rule})

    def disarm(self) -> None:
        """Clears every fault."""
        self._request("DELETE", "faults")

    def set_response_variants(self, *names: str) -> None:
        """Turns these response variants on and all others off."""
        self._request("POST", "quirks", {"quirks": names})

    def webhooks(self) -> dict[str, Any]:
        """The webhook endpoints, what is due to them and how many attempts were made."""
        return self._request("GET", "webhooks")

    def set_webhook(self, server: str, url: str, **options: Any) -> dict[str, Any]:
        """Registers an endpoint, which is probed; `options`: events, duplicates, disorder, timeout, seed."""
        return self._request("POST", "webhooks", {"server": server, "url": url, **options})

    def webhook(self, act: str, **options: Any) -> dict[str, Any]:
        """`roll`, `enable` or `remove` (server), `minutes` (minutes), `resend` (days, times, disorder, seed)."""
        return self._request("POST", f"webhooks/{act}", options)

    def _request(self, method: str, what: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        try:
            response = self._http.request(method, f"/_sandbox/{what}", json=body)
            answer = response.json()
        except httpx.TransportError:
            raise SandboxError(f"No sandbox answers at {self.base_url}; start it with `sandbox serve`.") from None
        except ValueError:
            raise SandboxError(f"What answers at {self.base_url} is not a sandbox; check its address.") from None
        if response.is_error or not isinstance(answer, dict):
            raise SandboxError(str(answer.get("error")) if isinstance(answer, dict) else "Unexpected answer.")
        return answer


def find_running(directory: Path) -> SandboxControl | None:
    """The control plane of the server that runs on a sandbox's directory, or None when none answers."""
    try:
        base_url = (directory / ADDRESS_FILE).read_text(encoding="utf-8").strip()
    except OSError:
        return None
    control = SandboxControl(base_url)
    try:
        control.state()
    except SandboxError:  # a killed server leaves its address behind
        control.close()
        return None
    return control
