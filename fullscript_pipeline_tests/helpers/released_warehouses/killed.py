"""`python -m ...killed PATH N`: upgrades the file and dies after the N-th statement; 0: prints how many there are."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb

from fullscript_pipeline.warehouse.connection import Warehouse
from fullscript_pipeline.warehouse.upgrades.migrations import migrate


class Mortal:
    """A connection that ends the process after so many statements."""

    def __init__(self, con: duckdb.DuckDBPyConnection, last: int) -> None:
        self._con, self._last = con, last
        self.statements = 0

    def execute(self, *args: Any) -> duckdb.DuckDBPyConnection:
        result = self._con.execute(*args)
        self.statements += 1
        if self.statements == self._last:
            os.kill(os.getpid(), signal.SIGKILL)
        return result


class MortalWarehouse(Warehouse):
    last = 0

    @contextmanager
    def maintain(self) -> Iterator[Any]:
        with super().maintain() as con:
            mortal = Mortal(con, self.last)
            yield mortal
            sys.stdout.write(str(mortal.statements))


if __name__ == "__main__":
    warehouse = MortalWarehouse(Path(sys.argv[1]))
    warehouse.last = int(sys.argv[2])
    migrate(warehouse, [])
