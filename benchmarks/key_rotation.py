"""How long `keys rotate` takes, and within how much memory: a warehouse of orders, landing files, a thousand webhooks.

python benchmarks/key_rotation.py [WAREHOUSE_MB] [LANDING_MB]       what it says before it starts is printed, too
"""

import itertools
import os
import sys
import tempfile
import time
from pathlib import Path

from ingest_server import orders
from merge import AT_ONCE, fill
from peak_memory import peak_mb

from fullscript_pipeline.encryption.key_strength import new_key
from fullscript_pipeline.maintenance.key_rotation import plan_rotation, rotate_keys
from fullscript_pipeline.settings import Settings, load_settings
from fullscript_pipeline.state import Delivery, StateStore
from fullscript_pipeline.warehouse.attachment import detach_all
from fullscript_pipeline.warehouse.connection import Warehouse
from fullscript_pipeline.warehouse.files.frame_file import FrameFile
from fullscript_pipeline.warehouse.landing import Request, make_line
from fullscript_pipeline.warehouse.upgrades.migrations import migrate

MB = 1_000_000
MOST_MB = 1_000


def fill_warehouse(settings: Settings, wanted: int) -> None:
    """Orders of three lines until the file is so large."""
    warehouse = Warehouse(settings.warehouse_path, settings.warehouse_key)
    migrate(warehouse, [])
    stored = 0
    while settings.warehouse_path.stat().st_size < wanted:
        stored += AT_ONCE
        fill(warehouse, stored, 3, begin=stored - AT_ONCE)
        with warehouse.exclusive_file():
            pass


def fill_landing(settings: Settings, wanted: int) -> None:
    """Files of a hundred pages of a hundred orders."""
    folder = settings.landing_dir / "us-snd" / "maple" / "2026-11-22"
    pages = [[make_line(one) for one in orders(100)] for _ in range(3)]
    made, number = 0, 0
    while made < wanted:
        file = FrameFile(folder / f"orders.{number}.open", settings.encryption_key)
        for page in range(100):
            file.append(Request(endpoint="orders", key="k", page=page + 1), pages[page % 3])
        file.finish()
        made, number = made + file.path.stat().st_size, number + 1


def main(warehouse_mb: int = 1_000, landing_mb: int = 100) -> None:
    for name in [name for name in os.environ if name.startswith("FULLSCRIPT_")]:
        del os.environ[name]
    old, new = new_key(), new_key()
    with tempfile.TemporaryDirectory() as folder:
        settings = load_settings().model_copy(update={"data_dir": Path(folder), "encryption_key": old})
        settings.prepare_data_dir()
        with StateStore(settings.state_path, old) as store:
            store.inbox.keep_deliveries(
                [Delivery(server="us-snd", event_id=f"e-{one}", body=bytes(2_000)) for one in range(1_000)]
            )
        fill_warehouse(settings, warehouse_mb * MB)
        fill_landing(settings, landing_mb * MB)
        filled_mb = peak_mb()
        both = settings.model_copy(update={"encryption_key": f"{new},{old}"})
        planning = time.monotonic()
        plan = plan_rotation(both)
        print(
            f"{plan.bytes / MB:,.0f} MB, looked through in {time.monotonic() - planning:.1f} s; announced: "
            f"{plan.seconds:.0f} s, {plan.needed_bytes / MB:,.0f} MB of free space",
            flush=True,
        )
        _measure(both, plan.bytes_of_landing, plan.bytes_of_databases)
        detach_all()
        print(f"peak {peak_mb():.0f} MB (when all was filled: {filled_mb:.0f})")
        if peak_mb() > MOST_MB:
            sys.exit(f"more than {MOST_MB} MB")


def _measure(settings: Settings, landing: int, databases: int) -> None:
    moments = [(time.monotonic(), time.process_time())]
    rotate_keys(settings, lambda _: moments.append((time.monotonic(), time.process_time())))
    state, landed, written = (
        (after[0] - before[0], after[1] - before[1]) for before, after in itertools.pairwise(moments)
    )
    print(f"state store, 1,000 webhooks: {state[0]:.1f} s, {state[1]:.1f} CPU s")
    for what, size, (seconds, cpu) in (("landing files", landing, landed), ("warehouse", databases, written)):
        per_second = f"{size / MB / seconds:.1f} MB/s, {size / MB / cpu:.1f} MB/CPU s"
        print(f"{what}, {size / MB:,.0f} MB: {seconds:.1f} s, {cpu:.1f} CPU s, {per_second}")
    seconds = moments[-1][0] - moments[0][0]
    print(f"all in all {(landing + databases) / MB / seconds:.1f} MB/s", flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
