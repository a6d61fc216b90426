"""Makes the table of settings in docs/operations.md, and `.env.example`, from the declarations (`make settings-docs`).

`python -m fullscript_pipeline_tests.helpers.settings_docs` writes both; a test holds them equal. What does not belong
here: what a setting means (`fullscript_pipeline.settings`).
"""

from collections.abc import Iterator
from pathlib import Path

from fullscript_pipeline.settings import SERVER_NAMES, DeclaredSetting, declared_settings

ROOT = Path(__file__).parents[2]
OPERATIONS = ROOT / "docs" / "operations.md"
EXAMPLE = ROOT / ".env.example"
BEGIN, END = "<!-- settings: begin (make settings-docs) -->\n", "<!-- settings: end -->\n"
_EXAMPLE_HEAD = """\
# Made by `make settings-docs`: every setting with its default. Copy it to .env, readable by you only:
#     cp .env.example .env && chmod 600 .env
# then remove the # before what you set. The environment comes before this file.
"""


def documented_settings() -> Iterator[tuple[str, DeclaredSetting]]:
    """Every setting with its name in the documents: what each server has is listed once, with <ENV>."""
    for setting in declared_settings().values():
        if setting.server is None:
            yield setting.variable, setting
        elif setting.server == SERVER_NAMES[0]:
            prefix = f"FULLSCRIPT_{setting.server.upper()}_"
            yield f"FULLSCRIPT_<ENV>_{setting.variable.removeprefix(prefix)}", setting


def settings_table() -> str:
    """The table of docs/operations.md."""
    rows = (f"| `{name}` | {setting.default} | {setting.text} |\n" for name, setting in documented_settings())
    return "| variable | default | meaning |\n|---|---|---|\n" + "".join(rows)


def with_settings_table(document: str) -> str:
    """The document with the table of today between its marks."""
    before, _, rest = document.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}{settings_table()}{END}{after}"


def env_example() -> str:
    """The text of `.env.example`: nothing in it is set."""
    lines = [_EXAMPLE_HEAD]
    for setting in declared_settings().values():
        default = setting.default.strip("`")
        is_value = setting.default.startswith("`") and not default.startswith("FULLSCRIPT_")
        note = "" if is_value or not default else f" (default: {default})"
        lines.append(f"\n# {setting.text}{note}\n#{setting.variable}={default if is_value else ''}\n")
    return "".join(lines)


def main() -> None:
    OPERATIONS.write_text(with_settings_table(OPERATIONS.read_text(encoding="utf-8")), encoding="utf-8")
    EXAMPLE.write_text(env_example(), encoding="utf-8")


if __name__ == "__main__":
    main()
