"""Callbacks, optimizers, losses and metrics of a single fit."""

import functools

import keras
import numpy as np
import pytest
from keras import ops

from lstmzoo import Forecaster, LanguageModel, Translator, backend
from lstmzoo.backend import compile_model, predict_batch
from lstmzoo.config import TrainingConfig
from lstmzoo.errors import ConfigError
from lstmzoo.overrides import Overrides, PointMetric, measured, point_loss
from lstmzoo.training import Batches, Checkpoint, train

X = np.random.default_rng(0).normal(size=(32, 3)).astype("float32")
Y = (X @ np.array([[1.0], [2.0], [-1.0]]) + 0.5).astype("float32")
CONFIG = TrainingConfig(
    optimizer="adam", learning_rate=0.1, beta_2=0.999, schedule="constant", warmup=0.0, clipnorm=None, batch_size=8,
    epochs=4, steps_per_epoch=10, patience=10, average_epochs=1,
)  # fmt: skip


def line(seed=0):
    keras.utils.set_random_seed(seed)
    inputs = keras.Input((3,), name="x")
    return keras.Model({"x": inputs}, keras.layers.Dense(1, name="y")(inputs))


def trained(model=None, config=CONFIG, loss=None, validate=True, checkpoint=None, **overrides):
    model = model or line()
    batches = Batches(lambda i: ({"x": X[i]}, Y[i]), num_items=32, batch_size=8, steps_per_epoch=10, seed=0)

    def loss_of(target, output):
        return (target - output) ** 2

    def check():
        output = model.predict_on_batch({"x": X})
        metrics = Overrides(**overrides).make_metrics()
        return {"loss": float(np.mean((Y - output) ** 2)), **measured(metrics, Y, output)}

    return train(
        model, loss or loss_of, batches, config=config, validate=check if validate else None, time_limit=None, verbose=0,
        title="line", checkpoint=checkpoint, overrides=Overrides(**overrides),
    )  # fmt: skip


class Recorder(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.calls, self.logs = [], []

    def on_train_begin(self, logs=None):
        self.calls.append("train")
        assert self.model.optimizer is not None
        assert self.params["epochs"] == 4

    def on_train_end(self, logs=None):
        self.calls.append("end")

    def on_epoch_begin(self, epoch, logs=None):
        self.calls.append(f"epoch {epoch}")

    def on_train_batch_begin(self, batch, logs=None):
        self.calls.append(batch)

    def on_train_batch_end(self, batch, logs=None):
        assert set(logs) == {"loss"}

    def on_epoch_end(self, epoch, logs=None):
        self.logs.append(logs)


class Stopper(keras.callbacks.Callback):
    def __init__(self, epoch=None, batch=None):
        super().__init__()
        self.epoch, self.batch = epoch, batch

    def on_epoch_end(self, epoch, logs=None):
        self.model.stop_training |= epoch == self.epoch

    def on_train_batch_end(self, batch, logs=None):
        self.model.stop_training |= batch == self.batch


class Killed(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 3:
            raise KeyboardInterrupt


def test_hooks_are_called_in_order_with_the_model_and_what_history_says():
    recorder = Recorder()
    history = trained(callbacks=[recorder]).history
    one = [0, 1, 2, 3]
    assert recorder.calls == ["train", *(call for epoch in range(4) for call in (f"epoch {epoch}", *one)), "end"]
    assert [logs["val_loss"] for logs in recorder.logs] == [row["val_loss"] for row in history]
    assert set(recorder.logs[0]) == {"loss", "val_loss", "learning_rate", "seconds"}


@pytest.mark.parametrize(("stopper", "epochs"), [(Stopper(epoch=1), 2), (Stopper(batch=2), 1)])
def test_a_callback_can_stop_the_training(stopper, epochs):
    assert len(trained(callbacks=[stopper]).history) == epochs


def test_callbacks_change_nothing_that_they_do_not_set():
    plain, other = line(), line()
    trained(plain)
    trained(other, callbacks=[Recorder()])
    for one, two in zip(plain.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)


def test_keras_own_callbacks_work(tmp_path):
    callbacks = [
        keras.callbacks.ModelCheckpoint(tmp_path / "{epoch}.weights.h5", save_weights_only=True),
        keras.callbacks.CSVLogger(tmp_path / "log.csv"),
        keras.callbacks.TensorBoard(tmp_path / "board"),
        keras.callbacks.EarlyStopping("val_loss", patience=3),
        keras.callbacks.TerminateOnNaN(),
    ]
    model = line()
    trained(model, callbacks=callbacks)
    again = line(1)
    again.load_weights(tmp_path / "4.weights.h5")
    np.testing.assert_array_equal(again.get_weights()[0], model.get_weights()[0])
    assert len((tmp_path / "log.csv").read_text().splitlines()) == 5
    assert list((tmp_path / "board").rglob("events.*"))


@pytest.mark.parametrize("schedule", ["constant", "cosine"])
def test_learning_rates_that_callbacks_set_multiply_the_schedule(schedule):
    config = CONFIG.model_copy(update={"schedule": schedule})
    plain = trained(config=config).history
    scheduler = keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate / 2 if epoch == 2 else rate)
    found = trained(config=config, callbacks=[scheduler]).history
    ratios = [row["learning_rate"] / other["learning_rate"] for row, other in zip(found, plain, strict=True)]
    np.testing.assert_allclose(ratios, [1, 1, 0.5, 0.5], rtol=1e-5)


def test_the_factor_of_callbacks_survives_an_interruption(tmp_path):
    halve = keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate / 2 if epoch == 1 else rate)
    whole = trained(callbacks=[halve]).history

    checkpoint = Checkpoint(tmp_path, "data")
    with pytest.raises(KeyboardInterrupt):
        trained(callbacks=[halve, Killed()], checkpoint=checkpoint)
    rest = trained(callbacks=[halve], checkpoint=checkpoint).history
    assert [row["learning_rate"] for row in rest] == [row["learning_rate"] for row in whole]
    assert [row["val_loss"] for row in rest] == [row["val_loss"] for row in whole]


@pytest.mark.parametrize("as_config", [False, True])
def test_an_optimizer_of_ones_own(as_config):
    optimizer = keras.optimizers.SGD(0.03, momentum=0.5)
    model = line()
    history = trained(model, optimizer=keras.optimizers.serialize(optimizer) if as_config else optimizer).history
    assert history[0]["learning_rate"] == pytest.approx(0.03)
    expected = line()
    expected.compile(keras.optimizers.SGD(0.03, momentum=0.5), "mse")
    batches = Batches(lambda i: (X[i], Y[i]), num_items=32, batch_size=8, steps_per_epoch=10, seed=0)
    for epoch in range(4):
        batches.set_epoch(epoch)
        for step in range(4):
            expected.train_on_batch({"x": batches[step][0]}, batches[step][1])
    np.testing.assert_allclose(model.get_weights()[0], expected.get_weights()[0], rtol=1e-5)
    assert not optimizer.built  # it is copied


def test_an_optimizer_with_a_schedule_of_its_own_keeps_it():
    decay = keras.optimizers.schedules.ExponentialDecay(0.1, 4, 0.5)
    rates = [row["learning_rate"] for row in trained(optimizer=keras.optimizers.Adam(decay)).history]
    np.testing.assert_allclose(rates, [0.05, 0.025, 0.0125, 0.00625], rtol=1e-5)


def test_metrics_are_in_the_history():
    model = line()
    history = trained(model, metrics=["mae", keras.metrics.RootMeanSquaredError(name="rmse")]).history
    error = Y - model.predict_on_batch({"x": X})
    assert history[-1]["val_mae"] == pytest.approx(np.abs(error).mean(), rel=1e-4)
    assert history[-1]["val_rmse"] == pytest.approx(np.sqrt((error**2).mean()), rel=1e-4)
    assert history[-1]["val_loss"] == pytest.approx((error**2).mean(), rel=1e-4)
    assert history[0]["mae"] > history[-1]["mae"] > 0


def test_missing_targets_count_for_nothing():
    target, forecast = np.array([[[1.0], [np.nan]], [[3.0], [5.0]]]), np.array([[[2.0], [9.0]], [[3.0], [2.0]]])
    found = measured(Overrides(metrics=["mae"]).make_metrics(), target.astype("float32"), forecast.astype("float32"))
    assert found == {"mae": pytest.approx((1 + 0 + 3) / 3)}
    loss = point_loss(lambda y, output: ops.mean((y - output) ** 2, axis=-1))
    np.testing.assert_allclose(np.asarray(loss(target, forecast)), [0.5, 4.5])


def test_checkpoints_tell_optimizers_losses_and_metrics_apart_but_not_callbacks():
    rmse = keras.metrics.RootMeanSquaredError(name="error")
    parts = [
        {}, {"optimizer": keras.optimizers.Adam(0.1)}, {"optimizer": keras.optimizers.Adam(0.2)}, {"loss": point_loss},
        {"metrics": [rmse]}, {"metrics": [keras.metrics.MeanSquaredError(name="error", dtype="float64")]},
    ]  # fmt: skip
    assert len({Overrides(**part).identity() for part in parts}) == len(parts)
    assert Overrides(callbacks=[Recorder()]).identity() == Overrides(metrics=[]).identity() == ""


@pytest.mark.parametrize("loss", [lambda target, output: output, functools.partial(point_loss)])
def test_a_checkpoint_needs_a_loss_with_a_name(loss):
    with pytest.raises(ConfigError, match="loss: with checkpoint_dir, it needs a name"):
        Overrides(loss=loss).identity()


def test_a_learning_rate_that_is_set_before_the_first_epoch_is_kept(tmp_path):
    class Slow(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            self.model.optimizer.learning_rate = 0.01

    rates = [row["learning_rate"] for row in trained(callbacks=[Slow()]).history]
    np.testing.assert_allclose(rates, 0.01, rtol=1e-5)
    checkpoint = Checkpoint(tmp_path, "data")
    with pytest.raises(KeyboardInterrupt):
        trained(callbacks=[Slow(), Killed()], checkpoint=checkpoint)
    resumed = trained(callbacks=[Slow()], checkpoint=checkpoint).history
    np.testing.assert_allclose([row["learning_rate"] for row in resumed], 0.01, rtol=1e-5)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"callbacks": keras.callbacks.Callback()}, "callbacks: expected a list, got Callback"),
        ({"callbacks": [print]}, "callbacks: expected Keras callbacks, got a builtin_function_or_method"),
        ({"optimizer": 3}, "optimizer: expected a Keras optimizer or its config"),
        ({"optimizer": {"class_name": "Adamm", "config": {}}}, "optimizer: expected a Keras optimizer or its config"),
        ({"loss": "mae"}, "loss: expected a function of targets and forecasts, got 'mae'"),
        ({"metrics": "mae"}, "metrics: expected a list, got str"),
        ({"metrics": ["maee"]}, "metrics: 'maee' is not a Keras metric; valid are names such as 'mae'"),
        ({"metrics": ["mae", "mae"]}, "metrics: the name 'mae' is taken"),
    ],
)
def test_what_is_refused(given, message):
    with pytest.raises(ConfigError, match=message):
        Overrides(**given)


def test_a_metric_is_what_keras_expects():
    assert isinstance(PointMetric(keras.metrics.MeanAbsoluteError()), keras.metrics.Metric)


TEXTS = [f"the quick brown fox number {i} jumps over the lazy dog." for i in range(30)]


def tasks():
    """An estimator of each task, and its training data."""
    small = {"epochs": 2, "steps_per_epoch": 3, "units": 8}
    common = {"random_state": 0, "verbose": 0}
    yield Forecaster("gru", horizon=6, hyperparameters=small, **common), (10 + np.sin(np.arange(120) * np.pi / 6),)
    text = {**small, "embedding_dim": 8, "bptt": 16, "batch_size": 4}
    yield LanguageModel("char_lstm", hyperparameters=text, **common), (TEXTS,)
    pairs = {**small, "embedding_dim": 8, "vocab_size": None}
    yield (
        Translator("conditional_gru_mini", tokenizer="word", hyperparameters=pairs, **common),
        (TEXTS[:20], TEXTS[:20]),
    )


@pytest.mark.parametrize(("estimator", "data"), list(tasks()), ids=lambda value: type(value).__name__)
def test_every_task_takes_callbacks_and_an_optimizer(estimator, data, tmp_path, without_xla):
    recorder = Recorder()
    recorder.on_train_begin = lambda logs=None: None
    saver = keras.callbacks.ModelCheckpoint(tmp_path / "best.weights.h5", save_weights_only=True)
    estimator.fit(*data, callbacks=[recorder, saver], optimizer=keras.optimizers.SGD(0.01))
    assert [logs["loss"] for logs in recorder.logs] == [row["loss"] for row in estimator.history_]
    assert estimator.history_[0]["learning_rate"] <= 0.01
    bare = estimator._build(estimator.config_, estimator.spec_)
    bare.load_weights(tmp_path / "best.weights.h5")  # the callback saves the network after its last epoch
    if estimator.best_epoch_ == 2:
        for loaded, kept in zip(bare.get_weights(), estimator.model_.get_weights(), strict=True):
            np.testing.assert_array_equal(loaded, kept)
    with pytest.raises(ConfigError, match="callbacks: expected a list"):
        estimator.fit(*data, callbacks=recorder)


def forecaster(**params):
    settings = {"epochs": 3, "steps_per_epoch": 5, "units": 8, **params.pop("hyperparameters", {})}
    return Forecaster("gru", horizon=6, hyperparameters=settings, random_state=0, verbose=0, **params)


def test_a_forecaster_takes_a_loss_and_metrics(without_xla):
    y = 10 + np.sin(np.arange(120) * np.pi / 6)
    plain = forecaster().fit(y, metrics=["mae", "mse"])
    assert {"mae", "mse", "val_mae", "val_mse"} <= plain.history_[0].keys()
    np.testing.assert_allclose(plain.history_[0]["val_mae"], plain.history_[0]["val_loss"], rtol=1e-4)
    same = forecaster().fit(y, loss=lambda target, forecast: ops.mean(ops.abs(target - forecast), axis=-1))
    np.testing.assert_allclose(same.predict(), plain.predict(), rtol=1e-4)
    squared = forecaster().fit(
        y, loss=lambda target, forecast: ops.mean((target - forecast) ** 2, axis=-1), metrics=["mse"]
    )
    assert squared.history_[0]["val_loss"] == pytest.approx(squared.history_[0]["val_mse"], rel=1e-4)
    assert abs(squared.predict() - plain.predict()).max() > 0
    quantiles = forecaster(quantiles=[0.1, 0.9]).fit(y, metrics=["mae"])
    assert quantiles.history_[0]["val_mae"] > 0


@pytest.mark.parametrize(
    ("params", "given", "message"),
    [
        ({"quantiles": [0.1]}, {"loss": abs}, "loss: one of your own needs point forecasts"),
        ({"distribution": "normal"}, {"loss": abs}, "loss: one of your own needs point forecasts"),
        ({"distribution": "normal"}, {"metrics": ["mae"]}, "metrics: they need quantiles or point forecasts"),
    ],
)
def test_losses_and_metrics_are_of_points(params, given, message):
    with pytest.raises(ConfigError, match=message):
        forecaster(**params).fit(np.arange(100.0), **given)


def test_what_is_compiled_anew_is_not_taken_for_compiled():
    model = line()
    compile_model(model)
    predict_batch(model, {"x": X})
    assert backend._COMPILED[model] == {32}
    compile_model(model)
    assert model not in backend._COMPILED
