"""Broken YAML files: one error that names file and line; other entries stay usable."""

import logging
import os

import pytest
from _cli import run

from lstmzoo.config import config_directories, list_models, load_config
from lstmzoo.errors import ConfigError

LSTM = (config_directories()[0] / "forecasting" / "lstm.yaml").read_text(encoding="utf-8")
TAGS = "tags: [lstm, streaming, quick]"


@pytest.fixture
def entries(tmp_path, monkeypatch):
    (tmp_path / "forecasting").mkdir()
    monkeypatch.setenv("LSTMZOO_CONFIGS", str(tmp_path))
    return tmp_path / "forecasting"


def changed(new, old=TAGS):
    assert old in LSTM
    return LSTM.replace(old, new).encode()


BROKEN = {
    "latin-1": (changed("summary: Für Tage.", LSTM.splitlines()[1]).decode().encode("latin-1"), "line 2: not UTF-8"),
    "cut-utf-8": (LSTM.encode() + b"# \xe2\x82", r"line \d+: not UTF-8"),
    "utf-16": (LSTM.encode("utf-16"), "line 1: not UTF-8"),
    "unhashable-key": (changed("tags: [lstm]\n? [a, b]\n: c"), r"line 5: key \['a', 'b'\] is not text"),
    "mapping-key": (changed("tags: [lstm]\n? {a: b}\n: c"), "line 5: key .* is not text"),
    "number-key": (changed("tags: [lstm]\n7: c"), "line 5: key 7 is not text: put it in quotes"),
    "digits": (changed("units: " + "9" * 5000, "units: 64"), r"line 5: '9{37}\.\.\.' is not a valid !!int"),
    "odd-date": (changed("tags: [2024-13-45]"), "line 4: '2024-13-45' is not a valid !!timestamp"),
    "date": (changed("summary: 2024-01-05", LSTM.splitlines()[1]), "line 2: key 'summary'"),
    "float": (changed("units: !!float x", "units: 64"), "line 5: 'x' is not a valid !!float"),
    "int": (changed("units: !!int x", "units: 64"), "line 5: 'x' is not a valid !!int"),
    "bool": (changed("units: !!bool x", "units: 64"), "line 5: 'x' is not a valid !!bool"),
    "python-tag": (
        changed("units: !!python/object/apply:os.system [ls]", "units: 64"),
        "line 5: the tag .* is not supported",
    ),
    "own-tag": (changed("units: !mine 3", "units: 64"), "line 5: '3' is not a valid !mine"),
    "set": (changed("tags: !!set {a, b}"), "line 4: the tag !!set is not supported"),
    "control": (changed("tags: [ls\x07tm]"), "line 4: not valid YAML: "),
    "null-byte": (changed("tags: [ls\x00tm]"), "line 4: not valid YAML: "),
    "recursive": (b"&a {x: *a}", "line 1: anchors and aliases are not supported"),
    "recursive-list": (changed("tags: &a [*a]"), "line 4: anchors and aliases are not supported"),
    "laughs": (changed("tags: &a [lol]\nb: &b [*a, *a, *a]"), "line 4: anchors and aliases are not supported"),
    "undefined-alias": (changed("tags: *nothing"), "line 4: anchors and aliases are not supported"),
    "deep": (
        b"builder: " + b"[" * 50_000,
        "line 1: (nested more than 20 deep|not valid YAML: exceeded maximum nesting depth)",
    ),
    "less-deep": (changed("tags: " + "[" * 30 + "]" * 30), "line 4: nested more than 20 deep"),
    "two-documents": (LSTM.encode() + b"---\na: b\n", "not valid YAML"),
    "tab": (changed("tags:\n\t- lstm"), "line [45]: not valid YAML"),
    "unclosed": (changed('tags: ["lstm'), "not valid YAML"),
    "empty": (b"", "line 1: expected keys and values"),
    "list": (b"- a\n- b\n", "line 1: expected keys and values"),
    "twice": (changed("tags: [a]\ntags: [b]"), "line 5: key 'tags' occurs twice"),
    "huge": (b"# " + b"x" * (1 << 20), "is larger than 1048576 bytes"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_file_is_named_with_its_line(entries, kind):
    raw, match = BROKEN[kind]
    (entries / "mine.yaml").write_bytes(raw)
    with pytest.raises(ConfigError, match=match) as caught:
        load_config("forecasting/mine")
    assert str(entries / "mine.yaml") in str(caught.value)
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize(("space", "match"), [
    ("{units: {type: int, min: 9, max: 3}}", "line 8: min 9 must be below max 3"),
    ("{units: {type: categorical, values: []}}", "line 8: key 'search_space.units.categorical.values': .*at least 1"),
    ("{units: {type: int, min: a, max: 99}}", "line 8: key 'search_space.units.int.min': .*valid integer, got 'a'"),
    ("{units: {type: integer, min: 1, max: 99}}", "line 8: key 'search_space.units': .*'integer'.*'int', 'float'"),
    ("{units: [8, 64]}", r"line 8: key 'search_space.units': .*dictionary.*, got \[8, 64\]"),
    ("[units]", r"line 8: key 'search_space': .*dictionary, got \['units'\]"),
    ("{units: {type: float, min: 8.5, max: 99.5}}", "line 8: key 'search_space.units': .*units must be int, as 64 is"),
    ("{learning_rate: {type: float, min: -1.0, max: 1.0}}", "line 8: key 'search_space.learning_rate': .*greater than 0"),
])  # fmt: skip
def test_a_wrong_range_is_named_with_its_file(entries, space, match):
    (entries / "mine.yaml").write_text(
        LSTM[: LSTM.index("search_space:")] + f"search_space: {space}\n", encoding="utf-8"
    )
    with pytest.raises(ConfigError, match=match) as caught:
        load_config("forecasting/mine")
    assert str(entries / "mine.yaml") in str(caught.value)


@pytest.mark.parametrize("kind", ["directory", "link", "pipe"])
def test_what_is_no_file_is_named(entries, kind):
    path = entries / "mine.yaml"
    {
        "directory": path.mkdir,
        "link": lambda: path.symlink_to("nowhere"),
        "pipe": lambda: os.mkfifo(path),
    }[kind]()
    with pytest.raises(ConfigError, match=r"mine\.yaml (is not a file|cannot be read: No such file)"):
        load_config("forecasting/mine")


def test_a_byte_order_mark_and_windows_lines_are_fine(entries):
    (entries / "mine.yaml").write_bytes(b"\xef\xbb\xbf" + LSTM.replace("\n", "\r\n").encode())
    assert load_config("forecasting/mine").settings == load_config("forecasting/lstm").settings


def test_the_other_entries_stay_listed(entries, caplog):
    (entries / "fine.yaml").write_text(LSTM, encoding="utf-8")
    (entries / "mine.yaml").mkdir()
    assert {"forecasting/fine", "forecasting/mine"} <= set(list_models())
    with caplog.at_level(logging.WARNING):
        tagged = list_models("forecasting/*", tag="lstm")
    assert "forecasting/fine" in tagged
    assert "forecasting/mine" not in tagged
    assert "forecasting/mine is left out" in caplog.text


def test_the_command_line_lists_the_others_and_names_the_broken_one(entries):
    (entries / "mine.yaml").write_bytes(BROKEN["latin-1"][0])
    done = run("list", "forecasting/*")
    assert "forecasting/lstm" in done.stdout
    assert "forecasting/mine" not in done.stdout
    assert "warning: forecasting/mine is left out:" in done.stderr
    assert "mine.yaml, line 2: not UTF-8" in done.stderr
    assert done.exit_code == 0
