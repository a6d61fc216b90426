"""A program that commits to a warehouse and dies before it closes the file.

What does not belong here: who starts it.
"""

DIE_AFTER_COMMIT = """
import os, sys
from pathlib import Path
from fullscript_pipeline.warehouse.connection import Warehouse
with Warehouse(Path(sys.argv[1]), sys.argv[2] or None).write() as con:
    con.execute("INSERT INTO ops.purges (kind, removed) SELECT 'x', '{}' FROM range(5_000)")
    con.execute("COMMIT")
    os._exit(9)
"""
