"""The code's structure in numbers, each with a bound. ``python -m tests.test_structure`` prints them.

A bound that is not what we want yet has its measured value in ``NOT_YET``: lower it when the value falls.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("grok_imagine", "nodes")
WIRE = ("grok_imagine/providers/", "grok_imagine/sandbox/")
"""Where JSON bodies of other people's APIs are read and written; a dict is what they are."""
FILES_IN_A_FOLDER = 15
LINES_P90, LINES_MAX = 20, 60
NOT_YET = {"dict[str, Any] in signatures": 97, "functions named by a participle": 0}

_PARTICIPLE = re.compile(
    r"\w{3,}(ed|ing)|broken|brought|built|chosen|drawn|found|given|gone|heard|held|kept|known|left|lost|made|meant|paid|"
    r"said|seen|sent|shown|sold|spent|spoken|taken|thrown|told|understood|withdrawn|won|written"
)
_FIELD_TERMS = {"mapping", "embed", "speed", "string", "bring"}
"""Words with such an ending that are nouns of the field, or no participles."""
_PREPOSITIONS = {"as", "at", "by", "for", "from", "in", "into", "of", "on", "to", "with"}

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass
class Measures:
    """What is counted in the engine and the nodes."""

    files_in_folder: dict[str, int] = field(default_factory=dict)
    function_lines: list[tuple[int, str]] = field(default_factory=list)
    unannotated: list[str] = field(default_factory=list)
    loose_dicts: list[str] = field(default_factory=list)
    participles: list[str] = field(default_factory=list)
    circles: list[list[str]] = field(default_factory=list)

    @property
    def lines_p90(self) -> int:
        lines = sorted(count for count, _ in self.function_lines)
        return lines[int(0.9 * (len(lines) - 1))]

    @property
    def lines_max(self) -> int:
        return max(count for count, _ in self.function_lines)


@cache
def measure() -> Measures:
    """Read every file of the engine and the nodes once."""
    found, imports = Measures(), dict[str, set[str]]()
    trees = {path: ast.parse(path.read_text("utf-8")) for package in PACKAGES for path in _files(ROOT / package)}
    modules = {_module(path) for path in trees}
    for path, tree in trees.items():
        imports[_module(path)] = set(_imported(path, tree)) & modules
        for qualified, function in _functions(tree):
            _count(found, f"{path.relative_to(ROOT).as_posix()}:{qualified}", function)
    folders = Counter(path.parent.relative_to(ROOT).as_posix() for path in trees if path.name != "__init__.py")
    found.files_in_folder = dict(folders)
    found.circles = _circles(imports)
    return found


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*.py") if "__pycache__" not in path.parts)


def _module(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def _functions(tree: ast.AST, above: str = "") -> Iterator[tuple[str, Function]]:
    for node in ast.iter_child_nodes(tree):
        inner = above
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield above + node.name, node
            inner = f"{above}{node.name}."
        elif isinstance(node, ast.ClassDef):
            inner = f"{above}{node.name}."
        yield from _functions(node, inner)


def _count(found: Measures, name: str, function: Function) -> None:
    assert function.end_lineno is not None
    found.function_lines.append((function.end_lineno - function.lineno + 1, name))
    given = function.args
    every = [*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg]
    parameters = [one for one in every if one is not None and one.arg not in ("self", "cls")]
    annotations = [one.annotation for one in parameters] + [function.returns]
    if None in annotations:
        found.unannotated.append(name)
    is_loose = any(re.search(r"\bdict\[str, Any\]", ast.unparse(one)) for one in annotations if one is not None)
    if is_loose and not name.startswith(WIRE):
        found.loose_dicts.append(name)
    if _is_participle(function):
        found.participles.append(name)


def _is_participle(function: Function) -> bool:
    """Whether a function is named like a state (``held``, ``closed_to_others``), not by a verb or a noun.

    A participle before a noun (``signed_url``) is a noun's name; a property may be named like a state.
    """
    if function.name.startswith("_") or any("property" in ast.unparse(one) for one in function.decorator_list):
        return False
    word, *others = function.name.split("_")
    if word in _FIELD_TERMS or (others and others[0] not in _PREPOSITIONS):
        return False
    return _PARTICIPLE.fullmatch(word) is not None


def _imported(path: Path, tree: ast.Module) -> Iterator[str]:
    """The modules of ours that a file imports, in functions too; what only type checkers see is left out."""
    package = _module(path) if path.name == "__init__.py" else _module(path).rpartition(".")[0]
    for node in _without_type_checking(tree):
        if not isinstance(node, ast.ImportFrom) or not node.level:
            continue
        parts = package.split(".")
        base = ".".join([*parts[: len(parts) - node.level + 1], *([node.module] if node.module else [])])
        names = [f"{base}.{alias.name}" for alias in node.names]
        yield from names
        if not all((ROOT / name.replace(".", "/")).with_suffix(".py").exists() for name in names):
            yield base


def _without_type_checking(tree: ast.AST) -> Iterator[ast.AST]:
    for node in ast.iter_child_nodes(tree):
        if not (isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")):
            yield node
            yield from _without_type_checking(node)


def _circles(imports: dict[str, set[str]]) -> list[list[str]]:
    """The groups of modules that reach each other."""
    reached = {module: _reach(module, imports) for module in imports}
    groups = {
        tuple(sorted(other for other in reached[module] if module in reached[other]))
        for module in imports
        if module in reached[module]
    }
    return [list(group) for group in sorted(groups)]


def _reach(start: str, imports: dict[str, set[str]]) -> set[str]:
    reached, waiting = set[str](), list(imports[start])
    while waiting:
        module = waiting.pop()
        if module not in reached:
            reached.add(module)
            waiting += imports[module]
    return reached


def test_no_folder_is_crowded() -> None:
    assert {name: count for name, count in measure().files_in_folder.items() if count > FILES_IN_A_FOLDER} == {}


def test_no_import_circle() -> None:
    assert measure().circles == []


def test_functions_are_short() -> None:
    found = measure()
    assert found.lines_p90 <= LINES_P90
    assert [one for one in found.function_lines if one[0] > LINES_MAX] == []
    for path in _files(ROOT / "benchmarks"):
        for name, function in _functions(ast.parse(path.read_text("utf-8"))):
            assert (function.end_lineno or 0) - function.lineno < LINES_MAX, (path.name, name)


def test_everything_is_annotated() -> None:
    assert measure().unannotated == []


def test_signatures_say_what_a_dict_holds() -> None:
    assert len(measure().loose_dicts) <= NOT_YET["dict[str, Any] in signatures"], measure().loose_dicts


def test_functions_are_named_by_verbs_or_nouns() -> None:
    assert len(measure().participles) <= NOT_YET["functions named by a participle"], measure().participles


@pytest.mark.parametrize(
    ("source", "is_participle"),
    [
        ("def held(): ...", True),
        ("def closed_to_others(): ...", True),
        ("def loading(): ...", True),
        ("def is_closed(): ...", False),
        ("def signed_url(): ...", False),
        ("def seed(): ...", False),
        ("def mapping(): ...", False),
        ("@property\ndef kept(self): ...", False),
        ("def _held(): ...", False),
    ],
)
def test_participles_are_recognised(source: str, is_participle: bool) -> None:
    (function,) = ast.parse(source).body
    assert isinstance(function, ast.FunctionDef)
    assert _is_participle(function) is is_participle


def test_a_circle_is_recognised() -> None:
    imports = {"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}, "e": {"e"}}
    assert _circles(imports) == [["a", "b", "c"], ["e"]]


def main() -> None:
    """Print the measures."""
    found = measure()
    print("functions:", len(found.function_lines), "p90", found.lines_p90, "max", found.lines_max, "lines")
    print("fullest folders:", Counter(found.files_in_folder).most_common(4))
    print("import circles:", found.circles)
    print("functions without full annotations:", len(found.unannotated), *found.unannotated)
    print("dict[str, Any] in signatures:", len(found.loose_dicts))
    print("  ", Counter(name.rpartition("/")[0] for name in found.loose_dicts).most_common())
    print("functions named by a participle:", len(found.participles))
    for name in found.participles:
        print("  ", name)


if __name__ == "__main__":
    main()
