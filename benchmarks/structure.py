"""How the source is built, in figures; and what three records pass on their way through it.

    python benchmarks/structure.py [--without-ways]

Figures do not depend on the machine; `fullscript_pipeline_tests/test_source_figures.py` holds those of the source.
A way is traced in a sandbox, and counted in the order in which each function of the package is first called: functions,
files, rooms, and returns to a file that had been left. The promise: no way has more returns than `RETURNS`.
"""

import sys
from collections import Counter
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from fullscript_pipeline_tests.helpers.source_figures import Source  # noqa: E402
from fullscript_pipeline_tests.helpers.traced_paths import WAYS, traced_clinic  # noqa: E402

RETURNS = {
    "one order, from the HTTP answer to its row": 113,
    "one webhook, to the page": 314,
    "one price, to the digest": 231,
}


def show(figure: str, value: object) -> None:
    print(f"{figure:<48} {value}", flush=True)


def most_common(names: Counter[str]) -> str:
    return ", ".join(f"{name} {times}" for name, times in names.most_common(5))


def circles(source: Source) -> str:
    """The first circle of imports, if there is one."""
    try:
        TopologicalSorter(source.importers).prepare()
    except CycleError as circle:
        return " -> ".join(circle.args[1])
    return "none"


def show_source(source: Source) -> None:
    everyday, empty, lengths = source.everyday_names, source.empty_names, source.function_lengths
    show("lines", f"{source.lines:,} in {len(source.modules)} modules")
    show(
        "names with everyday words, per 1,000 lines", f"{source.per_thousand_lines(everyday)} ({most_common(everyday)})"
    )
    show("empty names, per 1,000 lines", f"{source.per_thousand_lines(empty)} ({most_common(empty)})")
    show("class names in two modules", ", ".join(source.repeated_classes) or "none")
    show("typed functions", f"{source.typed_percent} % of {len(lengths):,}")
    show("lines of a function, 90th percentile, longest", f"{lengths[len(lengths) * 9 // 10]}, {lengths[-1]}")
    show("longest module", f"{source.longest_module.lines} lines ({source.longest_module.name})")
    show("modules imported by exactly one other", len(source.imported_once))
    show("circles of imports", circles(source))
    show("calls with five positional arguments", len(source.calls_with_positions(5)))
    show("calls of load_settings()", len(source.calls_of("load_settings")))


def main() -> int:
    show_source(Source())
    if "--without-ways" in sys.argv:
        return 0
    too_many = []
    with traced_clinic() as clinic:
        for way, trace in WAYS.items():
            path = trace(clinic)
            show(way, path)
            too_many += [f"{way}: {path.returns} returns, not {RETURNS[way]}"] if path.returns > RETURNS[way] else []
    for line in too_many:
        print(line, file=sys.stderr)
    return 1 if too_many else 0


if __name__ == "__main__":
    sys.exit(main())
