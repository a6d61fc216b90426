"""Pulls resources that are one full list, and finds the pull function of the others.

What does not belong here: a resource that is read in another way (its own module in this room).
"""

from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from typing import cast

from fullscript_pipeline.api import ClinicSession
from fullscript_pipeline.extraction.engine import Load, Pull, Report, Target, fetch_list_or_refusal
from fullscript_pipeline.resources.types import Resource
from fullscript_pipeline.warehouse.loading import EVERYTHING

ClinicPull = Callable[[Target, ClinicSession], Report]


def pull_whole_list(target: Target, session: ClinicSession, resource: Resource) -> Report:
    """Read a clinic's list to its end: what a complete list lacks is gone."""
    pull = Pull(target, resource.name)
    listing = fetch_list_or_refusal(pull, session, resource.name)
    if isinstance(listing, Report):
        return listing
    (table,) = resource.tables
    return pull.commit(
        Load(table=table, lines=pull.lines(resource.name), missing_among=EVERYTHING if listing.complete else None),
        total_count=listing.total_count,
    )


def find_pull(resource: Resource) -> ClinicPull:
    """The function that pulls a clinic's resource: `pull_<name>` of the module `<name>` in this room, or a whole list.

    Raises ValueError for a resource that is no whole list and has no such function.
    """
    if resource.listing == "whole list":
        return lambda target, session: pull_whole_list(target, session, resource)
    module = f"{__package__}.{resource.name}"
    if find_spec(module) is None:
        raise ValueError(f"the resource {resource.name} is no whole list: {module} has to pull it")
    return cast(ClinicPull, getattr(import_module(module), f"pull_{resource.name}"))
