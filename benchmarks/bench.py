"""The speed of this project in one table: ours beside a floor or a limit, and beside a peer. `make bench` prints it.

    python benchmarks/bench.py        # less than ten minutes on a machine with nothing else to do

It runs the other scripts at sizes that take a minute each, and reads their results. Seconds are of the processor, and
differ from machine to machine: the ratios do not, and the first line says how fast this machine is.
"""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb

HERE = Path(__file__).parent


@dataclass(frozen=True, kw_only=True)
class Row:
    """A line of the table. `ratio`: ours to the floor, the limit or the peer."""

    measure: str
    ours: str
    floor: str = ""
    peer: str = ""
    ratio: str = ""

    def __str__(self) -> str:
        return f"| {self.measure} | {self.ours} | {self.floor} | {self.peer} | {self.ratio} |"


def calibrate() -> str:
    """How long a fixed piece of work takes here: a Python loop and a DuckDB sum, in CPU seconds."""
    began = time.process_time()
    sum(number * number for number in range(3_000_000))
    between = time.process_time()
    with duckdb.connect(config={"threads": "1"}) as con:
        con.execute("SELECT sum(hash(i)) FROM range(50_000_000) t (i)").fetchall()
    return f"{between - began:.2f} s a Python loop, {time.process_time() - between:.2f} s a DuckDB sum"


def output(script: str, *arguments: str) -> str:
    """What a script of this folder prints. Ends this process with its last line when it fails."""
    command = [sys.executable, str(HERE / script), *arguments]
    environment = {**os.environ, "PYTHONPATH": str(HERE.parent)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{script}: {(done.stderr.strip().splitlines() or ['no word'])[-1]}")
    return done.stdout


def numbers(pattern: str, text: str) -> list[float]:
    """The numbers that a pattern finds in a script's output."""
    found = re.search(pattern, text)
    if found is None:
        sys.exit(f"no {pattern!r} in:\n{text}")
    return [float(group.replace(",", "")) for group in found.groups()]


def ingest() -> Iterator[Row]:
    text = output("ingest.py")
    cpu = {
        name: float(seconds)
        for name, seconds in re.findall(r"^\| (\w+, \w+) \| [\d.]+ \| ([\d.]+) \|", text, re.MULTILINE)
    }
    for when in ("first", "again"):
        ours, floor, dlt = (cpu.get(f"{who}, {when}") for who in ("ours", "floor", "dlt"))
        if ours is None or floor is None:
            sys.exit(f"no figures in:\n{text}")
        yield Row(
            measure=f"30,000 records of a REST list, {when}",
            ours=f"{ours:.2f} s",
            floor=f"{floor:.2f} s",
            peer=f"{dlt:.2f} s (dlt)" if dlt else "dlt is not installed",
            ratio=f"{ours / floor:.2f}" + (f", dlt {dlt / ours:.1f} times ours" if dlt else ""),
        )


def adherence() -> Iterator[Row]:
    text = output("adherence.py", "200000", "40000")
    (measured,) = numbers(r"\(([\d.]+) s CPU\)", text)
    least, ratio = numbers(r"a group: ([\d.]+) s CPU; measure\(\) takes ([\d.]+) times", text)
    yield Row(
        measure="adherence of 200,000 order lines", ours=f"{measured:.2f} s", floor=f"{least:.2f} s", ratio=f"{ratio}"
    )
    (whole, times) = numbers(r"mart of [\d,]+ patients: ([\d.]+) s CPU, ([\d.]+) times", text)
    yield Row(measure="the mart of the same", ours=f"{whole:.2f} s", floor=f"{least:.2f} s", ratio=f"{times}")
    (touched,) = numbers(r"touched patients among them: ([\d.]+) s CPU", text)
    yield Row(measure="100 touched patients among 40,000", ours=f"{touched:.2f} s")


def pages() -> Iterator[Row]:
    text = output("pages.py", "2000")
    each, times = numbers(r"([\d.]+) CPU ms a page; [\d,]+ cost ([\d.]+) times", text)
    yield Row(measure="2,000 patient pages beside 200", ours=f"{each:.2f} ms a page", floor="10", ratio=f"{times}")


def night() -> Iterator[Row]:
    text = output("night.py", "100", "215", "2")
    first, alone = numbers(r"catalog included: ([\d.]+) CPU s; .*alone: ([\d.]+) CPU s", text)
    (imports,) = numbers(r"imports: ([\d.]+) CPU s", text)
    among, times = numbers(r"\): ([\d.]+) CPU s, ([\d.]+) times", text)
    yield Row(
        measure="a clinic's first day, catalog included",
        ours=f"{first:.2f} s",
        floor=f"{imports:.2f} s (imports)",
        ratio=f"{first / imports:.1f}",
    )
    yield Row(
        measure="a day without changes",
        ours=f"{alone:.2f} s",
        floor=f"{imports:.2f} s (imports)",
        ratio=f"{alone / imports:.1f}",
    )
    yield Row(
        measure="the same among 100 clinics", ours=f"{among:.2f} s", floor=f"{alone:.2f} s (alone)", ratio=f"{times}"
    )


def main() -> None:
    """Prints each part as soon as it is measured."""
    began = time.monotonic()
    print(f"This machine: {calibrate()}; {os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}\n")
    print("| measure | ours | floor or limit | peer | ratio |\n|---|---|---|---|---|", flush=True)
    for part in (ingest, adherence, pages, night):
        for row in part():
            print(row, flush=True)
    print(f"\n{time.monotonic() - began:.0f} s; load at the end {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
