"""The package as it is installed, imported and documented."""

import ast
import dataclasses
import importlib
import json
import re
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

import lstmzoo

ROOT = Path(__file__).parent.parent
HEAVY = {"tensorflow", "keras", "mlflow", "sklearn", "pandas", "matplotlib", "scipy"}


def modules_after(code):
    """What a fresh interpreter has imported once it has run the code."""
    program = f"import sys\n{code}\nprint('\\n' + ' '.join(sorted({{m.split('.')[0] for m in sys.modules}})))"
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True, timeout=60)
    return set(done.stdout.splitlines()[-1].split())


@pytest.mark.parametrize("code", [
    "import lstmzoo",
    "import lstmzoo; lstmzoo.list_models(); lstmzoo.load_config('forecasting/lstm')",
    "from lstmzoo.cli import main\ntry: main(['list'])\nexcept SystemExit as e: assert not e.code",
    "from lstmzoo.cli import main\ntry: main(['show', 'forecasting/lstm'])\nexcept SystemExit as e: assert not e.code",
])  # fmt: skip
def test_light_commands_import_nothing_heavy(code):
    assert not modules_after(code) & HEAVY


def test_the_check_for_heavy_imports_can_fail():
    assert "sklearn" in modules_after("import sklearn")


@pytest.mark.parametrize("name", [n for n in lstmzoo.__all__ if n != "__version__"])
def test_public_names_exist_and_are_documented(name):
    assert (getattr(lstmzoo, name).__doc__ or "").strip()


def test_an_unknown_name_lists_the_public_ones():
    with pytest.raises(AttributeError, match="it has .*Forecaster"):
        lstmzoo.Forcaster  # noqa: B018


def test_files_and_functions_are_short():
    """At most 400 lines, and 40 lines of code; those of a signature do not count."""
    for path in sorted((ROOT / "lstmzoo").rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        lines = text.splitlines()
        assert len(lines) <= 400, path
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef):
                body = node.body[1:] if ast.get_docstring(node) else node.body
                code = lines[body[0].lineno - 1 : node.end_lineno] if body else []
                assert sum(bool(line.strip()) for line in code) <= 40, f"{path}: {node.name}"


@pytest.mark.parametrize("path", sorted((ROOT / "lstmzoo").rglob("*.py")), ids=lambda p: str(p.relative_to(ROOT)))
def test_public_definitions_have_docstrings(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    if path.stem != "_version":
        assert ast.get_docstring(tree), "the module has no docstring"
    scopes = [tree, *(n for n in tree.body if isinstance(n, ast.ClassDef) and not n.name.startswith("_"))]
    bare = [
        node.name for scope in scopes for node in scope.body
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_") and not ast.get_docstring(node)
        and node.name not in {"build", "call", "get_config", "compute_output_shape"} and not _is_keras_hook(node)
    ]  # fmt: skip
    assert not bare, f"without a docstring: {bare}"


def _is_keras_hook(node):
    return node.name.startswith("on_")


def test_the_wheel_carries_the_zoo(tmp_path):
    """Built, installed away from the checkout, and asked for its entries."""
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True, timeout=180)
    wheel = next(tmp_path.glob("lstmzoo-*.whl"))
    site = tmp_path / "site"
    install = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--no-deps",
        "--no-index",
        "--target",
        str(site),
        str(wheel),
    ]
    subprocess.run(install, check=True, capture_output=True, timeout=120)
    code = "import json, lstmzoo, lstmzoo.config as c; print(json.dumps([lstmzoo.__file__, str(c.config_directories()[0]), lstmzoo.list_models()]))"
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=tmp_path,
        env={"PYTHONPATH": str(site), "PATH": sysconfig.get_path("scripts")}, timeout=60,
    )  # fmt: skip
    package, configs, names = json.loads(done.stdout)
    assert package.startswith(str(site))
    assert configs == str(site / "lstmzoo" / "zoo_configs")
    assert names == lstmzoo.list_models()
    assert (site / "lstmzoo" / "py.typed").exists()


def test_every_test_file_is_collected():
    odd = [p.name for p in (ROOT / "tests").rglob("*.py") if not re.match(r"(test_.*|conftest|_.*)\.py$", p.name)]
    assert not odd


def test_every_public_callable_is_named_in_a_test():
    text = "\n".join(p.read_text(encoding="utf-8") for p in (ROOT / "tests").glob("*.py"))
    for package in ("layers", "decoding", "preprocessing", "estimators", "datasets", "tuning", "mlflow"):
        module = importlib.import_module(f"lstmzoo.{package}")
        functions = [n for n in module.__all__ if not dataclasses.is_dataclass(getattr(module, n))]
        for name in functions:
            assert re.search(rf"\b{name}\b", text), f"lstmzoo.{package}.{name} is in no test"
