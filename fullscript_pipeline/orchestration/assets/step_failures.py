"""A step's failure as one sentence without health data, with the exit code that commands return for it.

What does not belong here: which errors exist (`errors`), what a step does.
"""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import duckdb

import fullscript_pipeline
from fullscript_pipeline.errors import PipelineError
from fullscript_pipeline.machine_errors import shortage_error


class Failed(dg.Failure):
    """A step's failure as the UI prints it: its name, then the sentence."""

    # Of any other module a traceback's last line prints the dotted path, and the sentence would begin behind it.
    __module__ = "builtins"


@contextmanager
def pipeline_errors_as_failures() -> Iterator[None]:
    """A PipelineError becomes a Failed whose description is its sentence; the exit code goes along."""
    try:
        yield
    except PipelineError as error:
        raise Failed(str(error), metadata={"exit_code": error.exit_code}, allow_retries=False) from None
    except (OSError, MemoryError) as error:
        if (short := shortage_error(error)) is None:
            raise
        raise Failed(str(short), metadata={"exit_code": short.exit_code}, allow_retries=False) from None
    except duckdb.OutOfMemoryException as error:
        if (short := shortage_error(error)) is not None:
            raise Failed(str(short), metadata={"exit_code": short.exit_code}) from None
        raise Failed(
            f"DuckDB ran out of its memory limit: {str(error).splitlines()[0]}", metadata={"exit_code": 69}
        ) from None
    except duckdb.IOException as error:
        raise Failed(
            f"The warehouse cannot be written or read: {str(error).splitlines()[0].rstrip('. ')}. Free some space or "
            "look at the disk, then pull again: what is landed is not asked again.",
            metadata={"exit_code": 78},
            allow_retries=False,
        ) from None
    except (dg.Failure, dg.RetryRequested, dg.DagsterError):
        raise
    except Exception as error:
        raise Failed(unexpected_error_sentence(error), metadata={"exit_code": 1}, allow_retries=False) from None


def unexpected_error_sentence(error: Exception) -> str:
    """Describes a fault of the program by its type and the lines of this package that it passed through.

    The error's own message is left out: it may hold an id or a value of a patient, and Dagster keeps its history.
    """
    package = Path(fullscript_pipeline.__file__).parent
    frames = [
        f"{Path(frame.filename).relative_to(package)}:{frame.lineno} ({frame.name})"
        for frame in traceback.extract_tb(error.__traceback__)
        if Path(frame.filename).is_relative_to(package)
    ]
    return (
        f"Unexpected {type(error).__name__}: a fault of the program, not of your data or settings. Its message is left "
        f"out, since it may hold health data. Report these lines: {', '.join(reversed(frames))}."
    )
