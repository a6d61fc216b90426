"""dlt's rest_api source with parquet loading into DuckDB: the tool that one would otherwise take. Imports only dlt.

python benchmarks/ingest_dlt.py URL FOLDER       (`uv pip install --group bench`, or any interpreter that has dlt)
"""

import os
import sys

os.environ |= {"RUNTIME__DLTHUB_TELEMETRY": "false", "RUNTIME__LOG_LEVEL": "ERROR"}

import dlt
from dlt.sources.rest_api import rest_api_source
from ingest_measure import Measured


def main(url: str, folder: str) -> None:
    with Measured():
        pages = {
            "type": "page_number",
            "base_page": 1,
            "page_param": "page[number]",
            "total_path": "meta.total_pages",
        }
        source = rest_api_source(
            {
                "client": {"base_url": url, "paginator": pages, "auth": {"type": "bearer", "token": "x"}},
                "resource_defaults": {"primary_key": "id", "write_disposition": "merge"},
                "resources": [
                    {
                        "name": name,
                        "endpoint": {"path": name, "params": {"page[size]": 100}, "data_selector": name},
                    }
                    for name in ("orders", "patients")
                ],
            }
        )
        pipeline = dlt.pipeline(
            "bench",
            pipelines_dir=f"{folder}/pipelines",
            destination=dlt.destinations.duckdb(f"{folder}/dlt.duckdb"),
            dataset_name="fullscript",
        )
        pipeline.run(source, loader_file_format="parquet")


if __name__ == "__main__":
    main(*sys.argv[1:])
