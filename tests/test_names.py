"""A name means one thing in the whole product, and a docstring is a sentence that begins like one."""

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
ROOMS = ("domain", "workflows", "activities", "store", "providers", "acts", "gateway", "cli", "runtime")
HALF_SENTENCES = ("Of", "By", "With", "Beside", "Among")


def product_modules() -> Iterator[tuple[Path, ast.Module]]:
    """Every module of the product with its syntax tree; migrations are history and are left out."""
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            if "migrations" not in path.parts:
                yield path.relative_to(ROOT), ast.parse(path.read_text())


def test_no_class_name_is_in_two_product_modules() -> None:
    where: dict[str, list[str]] = defaultdict(list)
    for path, module in product_modules():
        for node in module.body:
            if isinstance(node, ast.ClassDef):
                where[node.name].append(str(path))
    assert len(where) > 300
    assert {name: paths for name, paths in where.items() if len(paths) > 1} == {}


def docstrings(module: ast.Module) -> Iterator[tuple[int, str]]:
    """Every string that is a statement, of attributes too, with its line."""
    for node in ast.walk(module):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield node.lineno, node.value.value


def test_no_docstring_begins_like_half_a_sentence() -> None:
    found = [(path, line, text) for path, module in product_modules() for line, text in docstrings(module)]
    assert len(found) > 1_000
    halves = [f"{path}:{line}: {text[:60]}" for path, line, text in found if text.split()[0] in HALF_SENTENCES]
    assert halves == []
