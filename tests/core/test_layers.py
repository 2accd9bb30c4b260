"""Layers hold: every import of the package goes up the table of [design §2], and nothing imports in a circle.

The table is the only list of layers: its last two columns name the files and folders of rust/hangang/src and of python/hangang,
and this test reads them from there. Every kind of import counts, and a problem names its kind:

- `module`: runs when the module is imported;
- `function`: inside a function, also `importlib.import_module("hangang.…")`;
- `typing`: below `if TYPE_CHECKING:`, seen by type checkers only;
- `use`: any path of the crate that begins with `crate::` or `super::`, outside of its tests.

`KNOWN` lists what is not yet as it should be, each with the issue that fixes it. The list only shrinks: an outdated
entry fails the test. The planted packages at the end show that each check can fail.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "python" / "hangang"
CRATE = ROOT / "rust" / "hangang" / "src"
BINDING = ROOT / "rust" / "hangang-python" / "src"
#: Folders of programs and helpers, which import each other by bare names.
SCRIPTS = ("benches", "examples", "scripts", "tests/support")
RUST, PYTHON = 2, 3  # columns of the table

#: Modules that import each other in a circle, and the issue that opens it.
KNOWN: dict[frozenset[str], str] = {}
#: Folders whose modules are side by side: their neighbours may import only the modules named here.
SIDE_BY_SIDE = {
    "_pure.dialects": {"_pure.dialects.thinking_tags", "_pure.dialects.wire"},
    "dialects": {"dialects.debug", "dialects.thinking_tags", "dialects.wire"},
}


class Import(NamedTuple):
    source: str
    target: str
    kind: str

    def __str__(self) -> str:
        return f"{self.source} imports {self.target} ({self.kind})"


def modules(package: Path) -> dict[str, Path]:
    """Modules by their name below the package; the package itself is `__init__`."""
    found = {}
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package).with_suffix("").parts
        name = ".".join(parts[:-1]) if parts[-1] == "__init__" else ".".join(parts)
        found[name or "__init__"] = path
    return found


@cache
def imports(package: Path) -> list[Import]:
    known = modules(package)
    found = set()
    for name, path in known.items():
        own = "" if name == "__init__" else name
        folder = own if path.name == "__init__.py" else own.rpartition(".")[0]
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for target, kind in read(tree.body, "module", package.name, folder, known):
            if target != name:
                found.add(Import(name, target, kind))
    return sorted(found)


def read(
    nodes: Iterable[ast.AST], kind: str, package: str, folder: str, known: dict[str, Path]
) -> Iterator[tuple[str, str]]:
    for node in nodes:
        if isinstance(node, ast.Import | ast.ImportFrom | ast.Call):
            for target in targets(node, package, folder):
                module = resolve(target, known)
                if module is not None:
                    yield module, kind
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            negated = isinstance(node.test, ast.UnaryOp)
            yield from read(node.body, kind if negated else "typing", package, folder, known)
            yield from read(node.orelse, "typing" if negated else kind, package, folder, known)
            continue
        inside = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        yield from read(
            ast.iter_child_nodes(node),
            "function" if inside and kind == "module" else kind,
            package,
            folder,
            known,
        )


def targets(node: ast.Import | ast.ImportFrom | ast.Call, package: str, folder: str) -> list[str]:
    """Absolute dotted names that a statement may import, below the package."""
    if isinstance(node, ast.Import):
        names = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom):
        base = node.module or ""
        if node.level:
            parts = [package, *filter(None, folder.split("."))]
            base = ".".join([*parts[: len(parts) - node.level + 1], *filter(None, [node.module])])
        names = [f"{base}.{alias.name}" for alias in node.names]
    else:
        called = ast.unparse(node.func).rpartition(".")[2]
        first = node.args[0] if node.args else None
        plain = isinstance(first, ast.Constant) and isinstance(first.value, str)
        names = [first.value] if called == "import_module" and plain else []  # type: ignore[union-attr,list-item]
    return [name.removeprefix(package).lstrip(".") for name in names if f"{name}.".startswith(f"{package}.")]


def resolve(target: str, known: dict[str, Path]) -> str | None:
    """The module that a name is, or is in: `_errors.ParseError` is in `_errors`, `__version__` in the package itself."""
    if target.split(".")[0] == "_native":  # the extension module: no file of the package
        return None
    while target:
        if target in known:
            return target
        target = target.rpartition(".")[0]
    return "__init__" if "__init__" in known else None


def rust_modules(crate: Path) -> dict[str, Path]:
    """Modules of the crate by their path, with dots; `framing/mod.rs` is `framing`."""
    found = {}
    for path in sorted(crate.rglob("*.rs")):
        parts = path.relative_to(crate).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "mod" else parts)] = path
    return found


@cache
def rust_imports(crate: Path) -> list[Import]:
    known = rust_modules(crate)
    found = set()
    for name, path in known.items():
        text = re.sub(r"//.*", "", path.read_text(encoding="utf-8"))
        text = re.sub(r"(?s)#\[cfg\(test\)\]\s*mod \w+ \{.*", "", text)  # the tests are the end of a file
        folder = list(path.relative_to(crate).parent.parts)
        for match in re.finditer(r"\b(crate|super)::((?:\w+::)*)(\{[^;]*?\}|\w+)", text):
            above = folder[:-1] if path.name == "mod.rs" else folder
            prefix = [*(above if match[1] == "super" else []), *filter(None, match[2].split("::"))]
            for leaf in re.findall(r"[\w:]+", match[3]):
                parts = [*prefix, *leaf.split("::")]
                while parts and ".".join(parts) not in known:
                    parts.pop()
                target = ".".join(parts) or "lib"
                if target != name:
                    found.add(Import(name, target, "use"))
    return sorted(found)


def table(text: str, column: int = PYTHON) -> list[tuple[str, list[str]]]:
    """Layers of the table in [design §2], from the top, each with the paths of a column."""
    section = re.search(r"(?ms)^## 2\. Layers$(.*?)^## 3\.", text)
    assert section is not None, "docs/design.md has no section `2. Layers`"
    rows = [line.strip("|").split("|") for line in section[1].splitlines() if line.startswith("|")]
    return [(row[0].strip(), re.findall(r"`([^`]+)`", row[column])) for row in rows[2:]]


def neighbours(folder: Path) -> list[Import]:
    """Imports between the modules of a folder without `__init__.py`."""
    files = {path.stem: path for path in sorted(folder.glob("*.py"))}
    found = set()
    for source, path in files.items():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            else:
                continue
            found |= {Import(source, name, "module") for name in names if name in files and name != source}
    return sorted(found)


def private_imports(folder: Path) -> list[str]:
    problems = []
    for path in sorted(folder.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import | ast.ImportFrom | ast.Call):
                wanted = targets(node, "hangang", "")
                private = [name for name in wanted if any(part.startswith("_") for part in name.split("."))]
                problems += [f"{path.name} imports hangang.{name}" for name in private]
    return problems


def is_group(path: str) -> bool:
    return path.endswith("/") or "*" in path


def assign(
    layers: list[tuple[str, list[str]]], known: dict[str, Path], package: Path
) -> tuple[dict[str, int], list[str]]:
    """The layer of each module, and what is wrong with the table."""
    layer_of: dict[str, int] = {}
    wrong = []
    named = [(index, path) for index, (_, paths) in enumerate(layers) for path in paths]
    # A file that is named for itself is not also in the layer of its folder or pattern.
    for index, path in sorted(named, key=lambda each: is_group(each[1])):
        place = package / path
        inside = [
            name
            for name, file in known.items()
            if file == place
            or (path.endswith("/") and place in file.parents)
            or ("*" in path and file.parent == place.parent and file.match(place.name))
        ]
        if not inside:
            wrong.append(f"the layer `{layers[index][0]}` names {path}, which does not exist")
        for name in inside:
            if not is_group(path) and name in layer_of:
                wrong.append(f"{name} is in two layers")
            layer_of.setdefault(name, index)
    wrong += [f"{name} is in no layer of the table" for name in known if name not in layer_of]
    return layer_of, wrong


def arrows_down(
    found: list[Import], layer_of: dict[str, int], layers: list[tuple[str, list[str]]]
) -> list[str]:
    return [
        f"{each}: the layer `{layers[layer_of[each.source]][0]}` is above `{layers[layer_of[each.target]][0]}`"
        for each in found
        if each.source in layer_of and layer_of.get(each.target, -1) > layer_of[each.source]
    ]


def between_neighbours(found: list[Import]) -> list[str]:
    return [
        f"{each}: the modules of {folder} are side by side, on {', '.join(sorted(floor))} only"
        for each in found
        for folder, floor in SIDE_BY_SIDE.items()
        if each.source.startswith(f"{folder}.")
        and each.target.startswith(f"{folder}.")
        and each.target not in floor
    ]


def circles(found: list[Import]) -> list[frozenset[str]]:
    """Sets of modules that reach each other, by imports of any kind (Tarjan's strongly connected components)."""
    graph: dict[str, set[str]] = {}
    for each in found:
        graph.setdefault(each.source, set()).add(each.target)
        graph.setdefault(each.target, set())
    order: dict[str, int] = {}
    lowest: dict[str, int] = {}
    stack: list[str] = []
    result = []

    def visit(node: str) -> None:
        order[node] = lowest[node] = len(order)
        stack.append(node)
        for target in graph[node]:
            if target not in order:
                visit(target)
            if target in stack:
                lowest[node] = min(lowest[node], lowest[target])
        if lowest[node] == order[node]:
            circle = stack[stack.index(node) :]
            del stack[stack.index(node) :]
            if len(circle) > 1:
                result.append(frozenset(circle))

    for node in graph:
        if node not in order:
            visit(node)
    return result


def circle_problems(found: list[Import], known: Iterable[frozenset[str]]) -> list[str]:
    problems = []
    listed: set[str] = set().union(*known)
    met: set[str] = set()
    for circle in circles(found):
        met |= circle
        if not any(circle <= allowed for allowed in known):
            arrows = [str(each) for each in found if {each.source, each.target} <= circle]
            problems.append(
                f"{', '.join(sorted(circle))} import each other in a circle:\n    "
                + "\n    ".join(sorted(arrows))
            )
    problems += [f"{name} is in no circle any more: take it out of KNOWN" for name in sorted(listed - met)]
    return problems


def layers_of(column: int) -> list[tuple[str, list[str]]]:
    return table((ROOT / "docs" / "design.md").read_text(encoding="utf-8"), column)


BOTH = pytest.mark.parametrize(
    ("column", "root", "find", "read_imports"),
    [(PYTHON, PACKAGE, modules, imports), (RUST, CRATE, rust_modules, rust_imports)],
    ids=["python", "rust"],
)


@BOTH
def test_every_module_has_its_layer(column: int, root: Path, find: Any, read_imports: Any) -> None:
    _, wrong = assign(layers_of(column), find(root), root)
    assert not wrong, "\n" + "\n".join(wrong)


@BOTH
def test_imports_go_up(column: int, root: Path, find: Any, read_imports: Any) -> None:
    layers = layers_of(column)
    layer_of, _ = assign(layers, find(root), root)
    problems = arrows_down(read_imports(root), layer_of, layers)
    assert not problems, "\n" + "\n".join(problems)


@BOTH
def test_dialects_are_side_by_side(column: int, root: Path, find: Any, read_imports: Any) -> None:
    assert not (problems := between_neighbours(read_imports(root))), "\n" + "\n".join(problems)


@BOTH
def test_nothing_imports_in_a_circle(column: int, root: Path, find: Any, read_imports: Any) -> None:
    problems = circle_problems(read_imports(root), KNOWN if column == PYTHON else ())
    assert not problems, "\n" + "\n".join(problems)


def test_errors_import_nothing_of_ours() -> None:
    assert not [str(each) for each in imports(PACKAGE) if each.source == "_errors"]


# --- beside the package and the crate


def test_the_binding_has_no_circle() -> None:
    found = rust_imports(BINDING)
    assert found
    assert not (problems := circle_problems(found, ())), "\n" + "\n".join(problems)


@pytest.mark.parametrize("folder", SCRIPTS)
def test_scripts_have_no_circle(folder: str) -> None:
    """They import their neighbours by bare names."""
    assert not (problems := circle_problems(neighbours(ROOT / folder), ())), "\n" + "\n".join(problems)


def test_examples_use_public_names_only() -> None:
    """People copy them. An example may import no module and no name with an underscore."""
    assert not (problems := private_imports(ROOT / "examples")), "\n" + "\n".join(problems)


# --- the checks themselves, on small packages with a fault


DESIGN_TEXT = """\
## 2. Layers

| layer | what | Rust | Python |
| --- | --- | --- | --- |
| low | | | `low.py` |
| dialects | | | `_pure/__init__.py` `_pure/dialects/` |
| high | | | `high.py` |
| root | | | `__init__.py` |

## 3. More
"""


def planted(tmp_path: Path, **sources: str) -> Path:
    package = tmp_path / "hangang"
    files = {
        "__init__": "from hangang import high",
        "low": "import re",
        "high": "from hangang import low",
        "_pure.__init__": "",
        "_pure.dialects.__init__": "",
        "_pure.dialects.wire": "",
        "_pure.dialects.clova": "from hangang._pure.dialects.wire import code",
        "_pure.dialects.exaone": "from . import wire",
    } | sources
    for name, text in files.items():
        path = package / f"{name.replace('.', '/')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return package


def every_problem(package: Path, known: Iterable[frozenset[str]] = ()) -> list[str]:
    layers = table(DESIGN_TEXT)
    layer_of, wrong = assign(layers, modules(package), package)
    found = imports(package)
    return (
        wrong
        + arrows_down(found, layer_of, layers)
        + between_neighbours(found)
        + circle_problems(found, known)
    )


def test_a_good_package_passes(tmp_path: Path) -> None:
    assert every_problem(planted(tmp_path)) == []


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ("import hangang.high", "module"),
        ("from . import high", "module"),
        ("from .high import name", "module"),
        ("try:\n    from hangang.high import name\nexcept ImportError:\n    pass", "module"),
        ("def lazily():\n    from hangang import high", "function"),
        ("import importlib\ndef lazily():\n    return importlib.import_module('hangang.high')", "function"),
        ("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from hangang.high import name", "typing"),
        ("import typing\nif not typing.TYPE_CHECKING:\n    pass\nelse:\n    import hangang.high", "typing"),
    ],
)
def test_an_arrow_down_is_found(tmp_path: Path, source: str, kind: str) -> None:
    package = planted(tmp_path, low=source, high="")
    assert every_problem(package) == [f"low imports high ({kind}): the layer `low` is above `high`"]


def test_a_circle_for_type_checking_is_found(tmp_path: Path) -> None:
    package = planted(
        tmp_path, low="from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import hangang.high"
    )
    assert any("import each other in a circle" in problem for problem in every_problem(package))
    circle = frozenset({"low", "high"})
    assert not any("circle" in problem for problem in every_problem(package, [circle]))


def test_a_known_circle_that_is_gone_is_found(tmp_path: Path) -> None:
    problems = every_problem(planted(tmp_path), [frozenset({"low", "high"})])
    assert problems == [f"{name} is in no circle any more: take it out of KNOWN" for name in ("high", "low")]


def test_a_dialect_that_leans_on_another_is_found(tmp_path: Path) -> None:
    package = planted(tmp_path)
    (package / "_pure" / "dialects" / "clova.py").write_text("from .exaone import helper", encoding="utf-8")
    assert [problem.partition(":")[0] for problem in every_problem(package)] == [
        "_pure.dialects.clova imports _pure.dialects.exaone (module)"
    ]


def test_a_module_without_a_layer_is_found(tmp_path: Path) -> None:
    package = planted(tmp_path, drawer="")
    assert every_problem(package) == ["drawer is in no layer of the table"]


def test_a_layer_without_its_module_is_found(tmp_path: Path) -> None:
    package = planted(tmp_path, high="")
    (package / "low.py").unlink()
    assert every_problem(package) == ["the layer `low` names low.py, which does not exist"]


def test_a_circle_of_scripts_is_found(tmp_path: Path) -> None:
    (tmp_path / "one.py").write_text("import two\nimport re", encoding="utf-8")
    (tmp_path / "two.py").write_text("def lazily():\n    from one import name", encoding="utf-8")
    assert len(circle_problems(neighbours(tmp_path), ())) == 1


def test_a_private_import_of_an_example_is_found(tmp_path: Path) -> None:
    text = "import hangang\nfrom hangang import clova\nfrom hangang._pure import clova\nfrom hangang import _errors"
    (tmp_path / "one.py").write_text(text, encoding="utf-8")
    assert private_imports(tmp_path) == [
        "one.py imports hangang._pure.clova",
        "one.py imports hangang._errors",
    ]


def planted_crate(tmp_path: Path, **sources: str) -> Path:
    files = {
        "lib": "mod error;\nmod dialects;",
        "error": "use std::fmt;",
        "dialects/mod": "pub mod wire;",
        "dialects/wire": "use crate::error::{Kind, Missing};",
        "dialects/clova": "use super::wire;\n#[cfg(test)]\nmod tests { use crate::lib::Everything; }",
        "parser": "use crate::{dialects::wire, error};\n// crate::lib is only named here",
    } | sources
    for name, text in files.items():
        path = tmp_path / f"{name}.rs"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return tmp_path


def test_paths_of_the_crate_are_read(tmp_path: Path) -> None:
    assert [str(each) for each in rust_imports(planted_crate(tmp_path))] == [
        "dialects.clova imports dialects.wire (use)",
        "dialects.wire imports error (use)",
        "parser imports dialects.wire (use)",
        "parser imports error (use)",
    ]


def test_circles_and_neighbours_of_the_crate_are_found(tmp_path: Path) -> None:
    sources = {
        "dialects/clova": "use crate::dialects::a2a::Code;",
        "dialects/a2a": "fn f() -> crate::dialects::clova::Code {}",
    }
    found = rust_imports(planted_crate(tmp_path, **sources))
    assert len(between_neighbours(found)) == 2
    assert len(circle_problems(found, ())) == 1
