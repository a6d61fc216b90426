"""Several worker processes, started together, told what to do together, and gone at the end whatever happens.

What does not belong here: what they do (`workers`).
"""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]


class Crew:
    """Workers that answer a line to a line."""

    def __init__(self, processes: Sequence["subprocess.Popen[str]"]) -> None:
        self.processes = processes

    def order(self, word: str = "go") -> None:
        for process in self.processes:
            assert process.stdin is not None
            process.stdin.write(f"{word}\n")
            process.stdin.flush()

    def answers(self) -> list[str]:
        """A line of each, in turn."""
        lines = []
        for process in self.processes:
            assert process.stdout is not None
            lines.append(process.stdout.readline().strip())
        return lines


@contextmanager
def crew(
    number: int, arguments: Sequence[object], variables: Mapping[str, str], *, state_url: str = ""
) -> Iterator[Crew]:
    """`number` workers that have said that they are ready; with `state_url` each has a data directory of its own."""
    run = [sys.executable, "-m", "fullscript_pipeline_tests.drills.workers", *map(str, arguments)]
    processes = [
        subprocess.Popen(
            run,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env={**os.environ, **variables, **(_machine(variables, which, state_url) if state_url else {})},
        )
        for which in range(number)
    ]
    workers = Crew(processes)
    try:
        assert workers.answers() == ["ready"] * number
        yield workers
    finally:
        for process in processes:
            try:
                process.communicate(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()


def _machine(variables: Mapping[str, str], which: int, state_url: str) -> dict[str, str]:
    folder = Path(variables["FULLSCRIPT_DATA_DIR"])
    return {"FULLSCRIPT_STATE_URL": state_url, "FULLSCRIPT_DATA_DIR": str(folder.with_name(f"{folder.name}-{which}"))}
