"""Every Python block of the README and the docs runs; every command named in them exists."""

import functools
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"(?:<!-- needs: (?P<needs>[\w, ]+) -->\s*)?^```(?P<language>\w*)\n(?P<code>.*?)^```", re.M | re.S)
NEEDS = {"m4": "m4_hourly_weekly", "ett": "ett_h1", "air_passengers": "air_passengers"}


def blocks(page, *languages):
    """Return the blocks in some languages, except the one that test_spark.py runs."""
    found = BLOCK.finditer(page.read_text(encoding="utf-8"))
    return [m for m in found if m["language"] in languages and m["needs"] != "spark"]


def data_directory():
    for directory in (os.environ.get("LSTMZOO_DATA"), ROOT.parent / "shared" / "data"):
        if directory and Path(directory).is_dir():
            return Path(directory)
    return None


@pytest.mark.parametrize("page", [p for p in PAGES if blocks(p, "python")], ids=lambda p: p.name)
@pytest.mark.filterwarnings("default")
def test_python_blocks_run(page, tmp_path, monkeypatch, without_xla):
    """The blocks of a page run one after the other, in one namespace and an empty directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    data = data_directory()
    if data is not None:
        monkeypatch.setenv("LSTMZOO_DATA", str(data))
    namespace = {"__name__": "__main__"}
    skipped = []
    for match in blocks(page, "python"):
        missing = [
            n for n in re.findall(r"\w+", match["needs"] or "") if data is None or not (data / NEEDS[n]).is_dir()
        ]
        if missing:
            skipped += missing
            continue
        line = page.read_text(encoding="utf-8")[: match.start("code")].count("\n")
        exec(compile("\n" * line + hastened(match["code"]), str(page), "exec"), namespace)
    if skipped:
        pytest.skip(f"blocks of {page.name} need data that is not here: {', '.join(sorted(set(skipped)))}")


def hastened(code):
    """Code with little data and training: whether it runs is tested, not how well it learns."""
    code = re.sub(r"\btime_limit=(\d+)", lambda limit: f"time_limit={max(1, int(limit[1]) // 20)}", code)
    code = re.sub(r"\bnum_pairs=\d+", "num_pairs=200", code)
    code = code.replace("load_python_reference()", "load_python_reference()[:26]")
    code = re.sub(r"\bmax_trials=[2-9]\b", "max_trials=2", code)
    return re.sub(r'"(epochs|steps_per_epoch)": ([2-9]|\d\d+)', r'"\1": 2', code)


def commands():
    for page in PAGES:
        for match in blocks(page, "sh", "bash", "console"):
            for line in re.sub(r"\\\n\s*", " ", match["code"]).splitlines():
                words = shlex.split(line.removeprefix("$ "), comments=True)
                if words and words[0] in ("lstmzoo", "make"):
                    yield pytest.param(words, id=f"{page.name}: {' '.join(words)[:60]}")


@pytest.mark.parametrize("words", list(commands()))
def test_commands_exist(words):
    """Every named subcommand and option of ``lstmzoo``, and every named target of make, exists."""
    if words[0] == "make":
        targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.M)
        assert set(words[1:]) <= set(targets)
        return
    known = help_of(*words[1:2])
    unknown = [w for w in words[2:] if w.startswith("--") and w.split("=")[0] not in known]
    assert not unknown, f"lstmzoo {words[1]} has no {unknown}"


@functools.cache
def help_of(*command):
    """Return the output of ``lstmzoo COMMAND --help``."""
    done = subprocess.run(
        [sys.executable, "-m", "lstmzoo.cli", *command, "--help"], check=False, capture_output=True, text=True, timeout=60,
        env={"COLUMNS": "200", "PATH": "/usr/bin:/bin", "HOME": "/tmp"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_zoo_page_is_up_to_date():
    sys.path.insert(0, str(ROOT / "docs"))
    try:
        import zoo_table
    finally:
        sys.path.pop(0)
    assert (ROOT / "docs" / "zoo.md").read_text(encoding="utf-8") == zoo_table.render(), "run `make docs`"


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_the_site_builds(tmp_path):
    """MkDocs finds every link, anchor and documented name; pages load nothing from the network."""
    site = tmp_path / "site"
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(site)], cwd=ROOT, check=False,
        capture_output=True, text=True, timeout=120, env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    pages = {page.relative_to(site).as_posix(): page.read_text(encoding="utf-8") for page in site.rglob("*.html")}
    assert 'id="lstmzoo.Forecaster.predict"' in pages["reference/forecasting/index.html"]
    loaded = re.compile(
        r'<(?:script|img)[^>]*src="https?:|<link[^>]*rel="(?:stylesheet|preconnect|icon)"[^>]*href="https?:'
    )
    assert [name for name, page in pages.items() if loaded.search(page)] == []
