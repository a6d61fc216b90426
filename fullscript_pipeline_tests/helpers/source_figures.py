"""Figures of the package's source: how long, how named, how typed, who imports whom. Tests and benchmarks share them.

What does not belong here: limits (`test_source_figures`), what a run calls (`traced_paths`).
"""

import ast
import re
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).parents[2]
NAME = "fullscript_pipeline"
_GLOSSARY = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
Function = ast.FunctionDef | ast.AsyncFunctionDef
# Functions of libraries that take any number of arguments: log lines, columns of a table, values of a frame's header.
VARIADIC = frozenset({"info", "Table", "pack", "checks"})


def _listed_words(bullet: str) -> frozenset[str]:
    """The words that a bullet of the glossary lists in backticks."""
    (line,) = re.findall(rf"^\* {bullet}: (.*)$", _GLOSSARY, re.MULTILINE)
    return frozenset(re.findall(r"`(\w+)`", line))


EVERYDAY_WORDS = _listed_words("Everyday words in names")
EMPTY_NAMES = _listed_words("Empty names")


@dataclass(frozen=True)
class Module:
    """A module: its dotted name, its file and its syntax."""

    name: str
    path: Path
    lines: int
    tree: ast.Module

    @property
    def is_face(self) -> bool:
        return self.path.name == "__init__.py"

    @cached_property
    def nodes(self) -> list[ast.AST]:
        return list(ast.walk(self.tree))

    @property
    def functions(self) -> list[Function]:
        return [node for node in self.nodes if isinstance(node, Function)]

    @property
    def calls(self) -> list[ast.Call]:
        return [node for node in self.nodes if isinstance(node, ast.Call)]

    def names(self) -> Iterator[str]:
        """The names of its variables, parameters and functions, where they are given."""
        for node in self.nodes:
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                yield node.id
            elif isinstance(node, ast.arg):
                yield node.arg
            elif isinstance(node, Function):
                yield node.name


def _read_modules() -> dict[str, Module]:
    modules = {}
    for path in sorted((ROOT / NAME).rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        dotted = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        modules[dotted] = Module(dotted, path, len(text.splitlines()), ast.parse(text))
    return modules


class Source:
    """The source of the package, and its figures."""

    def __init__(self) -> None:
        self.modules = _read_modules()

    @property
    def lines(self) -> int:
        return sum(module.lines for module in self.modules.values())

    @cached_property
    def everyday_names(self) -> Counter[str]:
        """Names that hold an everyday word."""
        return Counter(
            name
            for module in self.modules.values()
            for name in module.names()
            if not EVERYDAY_WORDS.isdisjoint(name.strip("_").lower().split("_"))
        )

    @cached_property
    def empty_names(self) -> Counter[str]:
        """Names that say nothing: single letters, and the listed ones."""
        bare = ((name, name.strip("_").lower()) for module in self.modules.values() for name in module.names())
        return Counter(name for name, text in bare if text in EMPTY_NAMES or len(text) == 1)

    def per_thousand_lines(self, names: Counter[str]) -> float:
        return round(1000 * names.total() / self.lines, 1)

    @property
    def repeated_classes(self) -> list[str]:
        """Names of classes that are in two modules."""
        classes = Counter(
            node.name for module in self.modules.values() for node in module.tree.body if isinstance(node, ast.ClassDef)
        )
        return sorted(name for name, times in classes.items() if times > 1)

    @property
    def dataclasses(self) -> dict[str, list[str]]:
        """The decorators of each class that is a dataclass, by the class's place."""
        found = {
            f"{module.name}:{node.lineno} {node.name}": [ast.unparse(decorator) for decorator in node.decorator_list]
            for module in self.modules.values()
            for node in module.nodes
            if isinstance(node, ast.ClassDef)
        }
        return {
            name: lines
            for name, lines in found.items()
            if any(re.match(r"(\w+\.)*dataclass\b", line) for line in lines)
        }

    @cached_property
    def functions(self) -> list[Function]:
        return [function for module in self.modules.values() for function in module.functions]

    @property
    def typed_percent(self) -> float:
        """The share of functions whose parameters and result all have a type."""
        return round(100 * statistics.fmean(_is_typed(function) for function in self.functions), 1)

    @property
    def function_lengths(self) -> list[int]:
        return sorted((function.end_lineno or 0) - function.lineno + 1 for function in self.functions)

    @property
    def longest_module(self) -> Module:
        return max(self.modules.values(), key=lambda module: module.lines)

    def calls_with_positions(self, least: int) -> list[str]:
        """Calls with at least so many positional arguments, by place; not of functions that take any number, and not
        the rows of the sandbox's word lists."""
        variadic = VARIADIC | {function.name for function in self.functions if function.args.vararg}
        return [
            f"{module.name}:{call.lineno} {ast.unparse(call.func)}"
            for module in self.modules.values()
            for call in module.calls
            if len(call.args) >= least
            and ast.unparse(call.func).split(".")[-1] not in variadic
            and module.name != f"{NAME}.sandbox.word_lists"
        ]

    def calls_of(self, function: str) -> list[str]:
        """The places that call a function of this name."""
        return [
            f"{module.name}:{call.lineno}"
            for module in self.modules.values()
            for call in module.calls
            if ast.unparse(call.func).split(".")[-1] == function
        ]

    @cached_property
    def importers(self) -> dict[str, set[str]]:
        """Which modules import a module, through whatever face. A face that passes it on is no importer."""
        importers: dict[str, set[str]] = defaultdict(set)
        for module in self.modules.values():
            for imported in self._imported(module):
                if not (module.is_face and imported.startswith(f"{module.name}.")):
                    importers[imported].add(module.name)
        return importers

    def _imported(self, module: Module) -> Iterator[str]:
        for node in module.nodes:
            if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == NAME:
                yield from (self._home(node.module, alias.name) for alias in node.names)
            elif isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names if alias.name in self.modules)

    def _home(self, imported_from: str, name: str) -> str:
        """The module that a name comes from: itself, or where its face has it from."""
        if f"{imported_from}.{name}" in self.modules:
            return f"{imported_from}.{name}"
        face = self.modules[imported_from]
        passed_on = {
            alias.asname or alias.name: node.module
            for node in (face.tree.body if face.is_face else [])
            if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith(NAME)
            for alias in node.names
        }
        return self._home(passed_on[name], name) if name in passed_on else imported_from

    @property
    def imported_once(self) -> dict[str, str]:
        """Modules that exactly one other imports, with that one."""
        return {
            name: next(iter(importers))
            for name, importers in sorted(self.importers.items())
            if len(importers) == 1 and not self.modules[name].is_face
        }


def _is_typed(function: Function) -> bool:
    parameters = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
    parameters += [star for star in (function.args.vararg, function.args.kwarg) if star]
    untyped = [parameter.arg for parameter in parameters if parameter.annotation is None]
    return function.returns is not None and set(untyped) <= {"self", "cls"}
