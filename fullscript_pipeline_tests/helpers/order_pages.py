"""A listing of orders in pages, as a stub server answers it. What does not belong here: odd answers."""

from fullscript_pipeline_tests.helpers.stub_server import Reply, Seen


def page_meta(number: int, pages: int, count: int) -> dict[str, object]:
    """The `meta` of a page."""
    following = number + 1 if number < pages else None
    return {"current_page": number, "next_page": following, "total_pages": pages, "total_count": count}


def orders_in_pages(seen: Seen) -> Reply:
    """250 orders on pages of 100."""
    number = int(seen.query["page[number]"])
    ids = range(250)[(number - 1) * 100 : number * 100]
    return Reply(body={"orders": [{"id": f"o-{n}"} for n in ids], "meta": page_meta(number, 3, 250)})
