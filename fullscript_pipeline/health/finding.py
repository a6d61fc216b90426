"""The result of a health check.

What does not belong here: any check.
"""

from dataclasses import asdict, dataclass
from typing import Literal

from fullscript_pipeline.errors import PipelineError

State = Literal["pass", "warn", "fail", "skip"]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """`id` is stable, for scripts: the room, its subject where there are several, the check. Holds no secret, no PHI.

    A `warn` needs attention but changes no exit code. A `skip` says why the check was not made; it is not a pass.
    `fix` says what to do about a `fail` or a `warn`, where `what` does not. `exit_code` is the contract's
    (README.md, "Commands") for a `fail`: 1, 77 for a clinic that needs `connect`, 78 for a setting.
    """

    id: str
    state: State
    what: str
    fix: str | None = None
    exit_code: int = 0

    @property
    def sentence(self) -> str:
        """The problem and what to do, as text."""
        return " ".join(filter(None, (f"{self.what.rstrip('.')}.", self.fix)))

    def as_json(self) -> dict[str, object]:
        return asdict(self)


def passed(check: str, what: str) -> Finding:
    return Finding(id=check, state="pass", what=what)


def warned(check: str, what: str, fix: str) -> Finding:
    return Finding(id=check, state="warn", what=what, fix=fix)


def skipped(check: str, why: str) -> Finding:
    return Finding(id=check, state="skip", what=why)


def failed(check: str, what: str, fix: str, exit_code: int = 1) -> Finding:
    return Finding(id=check, state="fail", what=what, fix=fix, exit_code=exit_code)


def failed_by(check: str, error: PipelineError, fix: str | None = None) -> Finding:
    """A finding for a check that raised a PipelineError. Its message says what to do, so no `fix` is needed."""
    return Finding(
        id=check,
        state="fail",
        what=str(error),
        fix=fix,
        exit_code=error.exit_code if error.exit_code in (77, 78) else 1,
    )
