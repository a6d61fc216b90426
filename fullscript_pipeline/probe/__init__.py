"""First contact with a server: what it answers, held against the documentation, in shapes and statistics only.

What does not belong here: changing what the pipeline assumes without a named switch, printing (`cli.probe`).
"""

from fullscript_pipeline.probe.fact_table import Fact, JudgedFact, judge_report, load_facts, variants_of
from fullscript_pipeline.probe.probe_report import ProbeReport, read_report, report_path
from fullscript_pipeline.probe.probe_run import TOKEN_REQUESTS, probe_rotation, run_probe
from fullscript_pipeline.probe.request_exchange import REQUEST_LIMIT, open_exchange
from fullscript_pipeline.probe.request_plan import allowed_endpoints, estimate_requests, undocumented_endpoints
from fullscript_pipeline.probe.switch_support import unsupported_facts

__all__ = [
    "REQUEST_LIMIT",
    "TOKEN_REQUESTS",
    "Fact",
    "JudgedFact",
    "ProbeReport",
    "allowed_endpoints",
    "estimate_requests",
    "judge_report",
    "load_facts",
    "open_exchange",
    "probe_rotation",
    "read_report",
    "report_path",
    "run_probe",
    "undocumented_endpoints",
    "unsupported_facts",
    "variants_of",
]
