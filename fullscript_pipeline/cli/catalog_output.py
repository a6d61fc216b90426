"""Prints what `catalog diff` and `catalog changes` found, or writes it to a file, in one of the formats.

What does not belong here: the options (`catalog`), comparing (`catalog_comparison`), the formats themselves.
"""

from collections.abc import Sequence
from pathlib import Path

from fullscript_pipeline import clock
from fullscript_pipeline.catalog import digest_title, format_table, is_alarming, to_csv, to_jsonl
from fullscript_pipeline.cli.catalog_comparison import Compared, Comparison, compare_regions
from fullscript_pipeline.cli.console import print_data, print_message
from fullscript_pipeline.errors import PipelineError, UsageError
from fullscript_pipeline.reports import changes_workbook, render_catalog_digest
from fullscript_pipeline.settings import Settings

FORMATS = ("table", "csv", "jsonl", "html", "xlsx")
OUTPUT_HELP = "Write to this file instead of stdout. An Excel workbook (xlsx) needs it."


def report_comparisons(
    settings: Settings, compared: Compared, *, form: str, output: Path | None, alarms: Sequence[str] = ()
) -> int:
    """Prints or writes the changes of each region; returns 1 if one of them is of an alarming kind, else 0."""
    if form == "xlsx" and output is None:
        raise UsageError("An Excel workbook is a file: name it, like --output changes.xlsx.")
    try:
        comparisons = compare_regions(settings, compared)
    except PipelineError as error:
        # Exit code 1 means differences here, so an error never exits with 1.
        error.exit_code = max(error.exit_code, UsageError.exit_code)
        raise
    if form == "html" and len(comparisons) > 1:
        names = [comparison.digest.region for comparison in comparisons]
        raise UsageError(f"A page holds one region: add --region {' or --region '.join(names)}.")
    content = _content(comparisons, form, settings)
    if output:
        write_output(output, content)
    elif content:
        print_data(content.decode().rstrip("\r\n"))
    kinds = set(alarms) or {"any"}
    return int(any(is_alarming(change, kinds) for comparison in comparisons for change in comparison.changes))


def _content(comparisons: Sequence[Comparison], form: str, settings: Settings) -> bytes:
    rows = [change for comparison in comparisons for change in comparison.changes]
    digests = [comparison.digest for comparison in comparisons]
    match form:
        case "csv":
            return to_csv(rows).encode()
        case "jsonl":
            return "".join(f"{line}\n" for line in to_jsonl(rows)).encode()
        case "xlsx":
            return changes_workbook(rows, [f"{digest_title(digest)}." for digest in digests], clock.now())
        case "html":
            (digest,) = digests
            return render_catalog_digest(digest, rendered_at=clock.now(), time_zone=settings.time_zone).encode()
    return "".join(map(format_table, digests)).encode()


def write_output(output: Path, content: bytes) -> None:
    """Writes the file. Raises UsageError if it cannot be written."""
    try:
        output.write_bytes(content)
    except OSError as error:
        raise UsageError(f"{output} cannot be written ({error.strerror}); name another file with --output.") from None
    print_message(f"Written to {output}.")
