"""What is known of each resource of the Fullscript API, one module per resource or small family.

Add a resource here: a module with its tables and a `Resource`; `registry` finds it. Each module is imported by its own
name, so that a new one needs no entry anywhere. What does not belong here: how a resource is pulled (`extraction`), and
anything that talks to Fullscript, runs SQL or knows Dagster.
"""

from fullscript_pipeline.resources.registry import ALL_ENDPOINTS, ALL_RESOURCES, ALL_TABLES, resource_named

__all__ = ["ALL_ENDPOINTS", "ALL_RESOURCES", "ALL_TABLES", "resource_named"]
