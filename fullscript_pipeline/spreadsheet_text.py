"""What a spreadsheet program accepts in a cell, and which texts it would execute.

What does not belong here: how a format guards such a text (`catalog.formats`, `reports.export`, `reports.workbooks`).
"""

# The most characters that Excel accepts in a cell, rounded down.
LONGEST_CELL = 32_000
_FORMULA = frozenset("=+-@|%＝＋－＠")
# The same rule as a pattern of DuckDB's, and the pattern of a text that got an apostrophe by it.
FORMULA_PATTERN = r"^\s*[=+\-@|%＝＋－＠]|^[\t\r\n]"
GUARDED_PATTERN = r"^'(\s*[=+\-@|%＝＋－＠]|[\t\r\n])"


def is_formula(plain: str) -> bool:
    """Whether a spreadsheet could take the text for a formula."""
    return plain.lstrip()[:1] in _FORMULA or plain.startswith(("\t", "\r", "\n"))
