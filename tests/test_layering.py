"""Imports point down only, and siblings do not know each other."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent / "lstmzoo"
LAYERS = {
    "_version": 0, "backend": 0, "errors": 0, "config": 0, "spec": 0, "registry": 0, "migrations": 0,
    "outputs": 0, "quiet": 0, "live": 0, "plugins": 0, "yaml_files": 0, "folders": 0, "dtypes": 0, "isotext": 0, "scales": 0, "turns": 0, "limits": 0, "environ": 0,
    "public_holidays": 0, "panel": 0, "translation_metrics": 0, "timestamps": 0, "text_files": 0, "timesteps": 0, "layers": 0,
    "blocks": 1, "decoding": 1, "preprocessing": 1, "datasets": 1, "metrics": 1, "programs": 1,
    "records": 1, "saving": 1, "rebuilding": 1, "options": 1, "overrides": 1, "values": 1, "figures": 1, "seeding": 1,
    "contracts": 2, "models": 2, "training": 2, "exporting": 2, "model_selection": 2,
    "estimators": 3,
    "mlflow": 4, "checks": 4, "networks": 4,
    "tuning": 5,
    "cli": 6, "demo": 6,
}  # fmt: skip
FILES = sorted(ROOT.rglob("*.py"))


def module_name(path):
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path) for path in FILES}


def imports_of(path):
    """The lstmzoo modules that a file imports, wherever in the file."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            names = [
                f"{node.module}.{a.name}" if f"{node.module}.{a.name}" in MODULES else str(node.module)
                for a in node.names
            ]
        else:
            continue
        yield from (name for name in names if name.split(".")[0] == "lstmzoo")


def parts_in_common(a, b):
    """The lowest package that holds both modules, and which part of it each is in."""
    a, b = a.split("."), b.split(".")
    depth = next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
    return ".".join(a[:depth]), *(".".join(m[: depth + 1]) if len(m) > depth else None for m in (a, b))


def sibling_imports(part, package):
    """Which other parts of a package one of its parts imports, ``_base`` aside."""
    for path in FILES:
        importer = module_name(path)
        if importer == part or importer.startswith(part + "."):
            for imported in imports_of(path):
                common, mine, theirs = parts_in_common(importer, imported)
                if common == package and mine == part and theirs and not theirs.endswith("._base"):
                    yield theirs


def may_import(importer, imported):
    """Lower layers; L0 of L0; within a package, its ``_base``, and leaves: parts that import no other part of it.

    A package's ``__init__`` may import all of its own.
    """
    if importer == "lstmzoo":
        return True  # the front names everything; what it imports at run time is tested in test_package.py
    if imported == "lstmzoo":
        return LAYERS[importer.split(".")[1]] == max(LAYERS.values())
    mine, theirs = importer.split(".")[1], imported.split(".")[1]
    if mine != theirs:
        return LAYERS[theirs] < LAYERS[mine] or LAYERS[theirs] == LAYERS[mine] == 0
    package, part, other = parts_in_common(importer, imported)
    if other is None:
        return False
    return part is None or other.endswith("._base") or not list(sibling_imports(other, package))


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_point_down(path):
    importer = module_name(path)
    bad = [name for name in imports_of(path) if not may_import(importer, name)]
    assert not bad, f"{importer} imports {bad}"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_only_mlflow_may_know_tensorflow(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names = {a.name.split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.Import) for a in node.names}
    names |= {str(node.module).split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert "tensorflow" not in names or path.parent.name == "mlflow"


def test_every_top_module_has_a_layer():
    tops = {name.split(".")[1] for name in MODULES if "." in name}
    assert tops <= set(LAYERS)


def test_the_rules_can_fail():
    assert not may_import("lstmzoo.layers.attention", "lstmzoo.models._base")
    assert not may_import("lstmzoo.preprocessing.windows", "lstmzoo.preprocessing")
    assert not may_import("lstmzoo.tuning.search", "lstmzoo")
    assert not may_import("lstmzoo.metrics", "lstmzoo.preprocessing")
    assert not may_import("lstmzoo.estimators.forecasting.baselines", "lstmzoo.estimators.forecasting.forecaster")
    assert may_import("lstmzoo.estimators.forecasting.forecaster", "lstmzoo.estimators.forecasting.baselines")
    assert may_import("lstmzoo.preprocessing.tokens.words", "lstmzoo.preprocessing.tokens._base")
    assert may_import("lstmzoo.estimators.forecasting._base", "lstmzoo.estimators._base")
