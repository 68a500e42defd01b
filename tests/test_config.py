"""Zoo configs: what they may say, and how wrong ones are told."""

from pathlib import Path

import pytest

from lstmzoo.config import config_directories, full_name, list_models, load_config, parse_config
from lstmzoo.errors import ConfigError, UnknownNameError
from lstmzoo.registry import get_builder, register_model, unregister_model

LSTM = (config_directories()[0] / "forecasting" / "lstm.yaml").read_text()


@pytest.fixture
def user(tmp_path, monkeypatch):
    """Writes a user's entry, and gives its name."""
    (tmp_path / "forecasting").mkdir()
    monkeypatch.setenv("LSTMZOO_CONFIGS", str(tmp_path))

    def write(text, name="mine"):
        (tmp_path / "forecasting" / f"{name}.yaml").write_text(text)
        return f"forecasting/{name}"

    return write


@pytest.mark.parametrize("name", list_models())
def test_entries_are_told_of(name):
    config = load_config(name)
    assert config.name == name
    assert config.summary.endswith(".")
    assert any(char.isdigit() for char in config.reference), "a reference has a year"
    assert config.search_space
    assert parse_config(config.model_dump()) == config


def test_a_user_s_entry_is_listed_beside_the_shipped_ones(user):
    name = user(LSTM.replace("units: 64", "units: 32"))
    assert name in list_models("forecasting/*")
    assert load_config(name).hyperparameters["units"] == 32
    user(LSTM.replace("units: 64", "units: 48"))
    assert load_config(name).hyperparameters["units"] == 48


def test_a_shipped_name_cannot_be_taken(user):
    user(LSTM, "lstm")
    with pytest.raises(ConfigError, match="forecasting/lstm is defined twice"):
        list_models()


def test_a_directory_that_is_not_there(monkeypatch):
    monkeypatch.setenv("LSTMZOO_CONFIGS", "/nowhere/at/all")
    with pytest.raises(ConfigError, match="LSTMZOO_CONFIGS names '/nowhere/at/all'"):
        list_models()


@pytest.mark.parametrize(("old", "new", "message"), [
    ("dropout: 0.1", "dropout: 0.1, dropout: 0.2", "line 5: key 'dropout' occurs twice"),
    ("scaling: window", "scale: window", "line 6: unknown key in data: 'scale' .did you mean 'scaling'.*valid: calendar"),
    ("scaling: window", "scaling: windows", "line 6: key 'data.scaling': Input should be 'window', 'series', 'level' or 'none', got 'windows'"),
    ("2.0e-3", "2e-3", r"line 7: key 'training.learning_rate': .*write it with a point and a sign, such as 1\.0e-3"),
    ("patience: 10", "patience: -1", "line 7: key 'training.patience': .*greater than 0, got -1"),
    ("summary", "sumary", "line 2: unknown key 'sumary' .did you mean 'summary'"),
    ("max: 3}", "maxi: 3}", "line 10: unknown key in search_space.num_layers.int: 'maxi'"),
    ("tags: [lstm, streaming, quick]", "tags: [lstm", "line 5: not valid YAML"),
    ("units: {type", "unitss: {type", "search_space: unknown key 'unitss'; valid: "),
    ("min: 16, max: 256", "min: 256, max: 16", "min 256 must be below max 16"),
    ("min: 3.0e-4", "min: 0.0", "log sampling needs min above 0"),
    ("units: 64", "units: 300", "the default units = 300 lies outside its own range"),
    ("builder: rec", "name: x\nbuilder: rec", "key 'name': an entry's name is its file's place"),
])  # fmt: skip
def test_broken_files_name_file_line_and_key(user, old, new, message):
    assert old in LSTM
    name = user(LSTM.replace(old, new))
    with pytest.raises(ConfigError, match=message) as caught:
        load_config(name)
    assert "mine.yaml" in str(caught.value)


def test_a_file_that_holds_no_keys(user):
    with pytest.raises(ConfigError, match="expected keys and values"):
        load_config(user("just words"))


def test_an_unknown_task(user, tmp_path):
    (tmp_path / "fortune_telling").mkdir()
    (tmp_path / "fortune_telling" / "x.yaml").write_text(LSTM)
    with pytest.raises(
        ConfigError,
        match="unknown task 'fortune_telling'.*; valid: forecasting, language_modelling, translation; for one of your own",
    ):
        load_config("fortune_telling/x")


@pytest.mark.parametrize("pattern", ["forecastin/*", "lsmt", ""])
def test_patterns_that_match_nothing_list_the_names(pattern):
    with pytest.raises(UnknownNameError, match="valid: .*forecasting/lstm"):
        list_models(pattern)


def test_list_by_tag():
    assert list_models("forecasting/*", tag="attention") == [
        "forecasting/gru_attention",
        "forecasting/lstm_attention",
        "forecasting/temporal_fusion",
    ]


@pytest.mark.parametrize(("values", "message"), [
    ({"units": 3.5}, "units must be int, as 64 is; got 3.5"),
    ({"units": True}, "units must be int"),
    ({"bidirectional": 1}, "bidirectional must be bool"),
    ({"epochs": 0}, "key 'training.epochs'"),
    ({"learning_rat": 0.1}, "did you mean 'learning_rate'"),
])  # fmt: skip
def test_overrides_that_are_refused(values, message):
    with pytest.raises(ConfigError, match=message):
        load_config("forecasting/lstm").override(values)


def test_an_override_leaves_the_original_alone():
    config = load_config("forecasting/lstm")
    changed = config.override({"units": 8, "epochs": 3, "scaling": "none"})
    assert (changed.settings["units"], changed.training.epochs, changed.settings["scaling"]) == (8, 3, "none")
    assert "units" not in changed.search_space
    assert config.settings["units"] == 64


def test_registry_refuses_duplicates_and_defaults():
    with pytest.raises(ValueError, match="already registered by lstmzoo.models"):
        register_model(get_builder("recurrent_forecaster"))
    with pytest.raises(TypeError, match="'units' must be keyword-only and have no default"):

        @register_model
        def careless(spec, *, units=3): ...

    with pytest.raises(UnknownNameError, match="valid: .*segment_forecaster"):
        get_builder("careless")


def test_a_builder_of_one_s_own(user, hourly):
    """One function and one YAML file, and the estimator takes it."""
    from lstmzoo import Forecaster

    @register_model
    def linear_forecaster(spec, *, units):
        import keras

        from lstmzoo.models._forecasting import forecaster, output_size

        summary = keras.layers.Dense(units, name="summary")
        head = keras.layers.Dense(output_size(spec), name="head")

        def encode(inputs, states):
            return summary(keras.layers.Flatten(name="flat")(inputs.window)), states

        def decode(inputs, memory, states):
            steps = keras.layers.RepeatVector(spec.horizon, name="steps")(memory)
            return head(keras.layers.Concatenate(name="joined")([steps, inputs.future]))

        return forecaster(spec, encode, decode, name="linear_forecaster", streaming=False)

    text = LSTM.replace("recurrent_forecaster", "linear_forecaster").split("search_space")[0] + "search_space: {}\n"
    start, end = text.index("{cell"), text.index("}\ndata")
    try:
        name = user(text[:start] + "{units: 4" + text[end:])
        forecaster = Forecaster(name, horizon=4, hyperparameters={"epochs": 1, "steps_per_epoch": 1}, verbose=0)
        assert len(forecaster.fit(hourly).predict()) == 12
    finally:
        unregister_model("linear_forecaster")


@pytest.mark.parametrize(
    ("pattern", "task", "names"),
    [
        ("segment_*", None, ["forecasting/segment_gru", "forecasting/segment_lstm"]),
        ("forecasting/segment_*", None, ["forecasting/segment_gru", "forecasting/segment_lstm"]),
        ("gru", None, ["forecasting/gru", "language_modelling/gru"]),
        ("gru", "forecasting", ["forecasting/gru"]),
        (["gru", "segment_gru"], "forecasting", ["forecasting/gru", "forecasting/segment_gru"]),
        ("*bahdanau_gru", "translation", ["translation/bahdanau_gru"]),
    ],
)
def test_patterns_with_and_without_the_task(pattern, task, names):
    assert list_models(pattern, task=task) == names


def test_patterns_are_the_same_everywhere():
    from lstmzoo.cli._base import find_models
    from lstmzoo.tuning.space import select_models

    names = list_models(["segment_*", "gru"], task="forecasting")
    assert sorted(c.name for c in select_models("forecasting", ["segment_*", "gru"])) == names
    assert sorted(c.name for c in select_models("forecasting", ["forecasting/segment_*", "forecasting/gru"])) == names
    assert find_models("segment_*,gru", Path("a.csv")) == names


def test_names_without_the_task():
    assert load_config("segment_gru") is load_config("forecasting/segment_gru")
    assert full_name("gru", "language_modelling") == "language_modelling/gru"
    with pytest.raises(
        ConfigError, match="'gru' is the name of several entries: forecasting/gru, language_modelling/gru"
    ):
        full_name("gru")
    with pytest.raises(ConfigError, match="translation/gnmt is of the task translation: name entries of forecasting"):
        full_name("translation/gnmt", "forecasting")
    with pytest.raises(UnknownNameError, match=r"unknown model 'bahdanau_gru'.*; valid: (forecasting/\w+(, )?)+$"):
        full_name("bahdanau_gru", "forecasting")
    with pytest.raises(UnknownNameError, match=r"unknown model 'nothing_\*'; valid: (translation/\w+(, )?)+$"):
        list_models("nothing_*", task="translation")
