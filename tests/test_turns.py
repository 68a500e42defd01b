"""Requests take turns: who goes first, who is stopped, and what runs aside."""

import threading
import time

import keras
import numpy as np
import pytest

from lstmzoo import turns
from lstmzoo.backend import predict_batch
from lstmzoo.errors import ConfigError, DataError
from lstmzoo.limits import LIMITS, ServingLimits
from lstmzoo.turns import Queue, Request, RequestEnded, RequestTurn, TimedOut, aside, holding, pause, working_by


def in_thread(function, *args):
    thread = threading.Thread(target=function, args=args, daemon=True)
    thread.start()
    return thread


def until(condition):
    """Wait for something that happens in another thread."""
    for _ in range(1000):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("it did not happen")


def test_the_queue_is_given_in_the_order_of_asking():
    queue, order, threads = Queue(), [], []
    queue.enter(lambda: None)

    def take(number):
        queue.enter(lambda: None)
        order.append(number)
        queue.leave()

    for number in range(5):
        threads.append(in_thread(take, number))
        until(lambda: len(queue._waiting) == len(threads))
    assert queue.awaited
    queue.leave()
    for thread in threads:
        thread.join(10)
    assert order == list(range(5))
    assert not queue.awaited


def test_a_long_request_lets_short_ones_go_first(monkeypatch):
    monkeypatch.setattr(turns, "_QUANTUM", 0.0)
    queue, order, started = Queue(), [], threading.Event()

    def long():
        with RequestTurn(queue, Request(60)) as turn, working_by(turn):
            started.set()
            until(lambda: queue.awaited)
            pause()
            order.append("long")

    def short():
        started.wait(10)
        with RequestTurn(queue, Request(60)):
            order.append("short")

    for thread in [in_thread(long), in_thread(short)]:
        thread.join(10)
    assert order == ["short", "long"]


def test_a_request_that_computes_for_a_moment_is_not_interrupted(monkeypatch):
    monkeypatch.setattr(turns, "_QUANTUM", 60.0)
    queue = Queue()
    with RequestTurn(queue, Request(60)) as turn, working_by(turn):
        other = in_thread(lambda: RequestTurn(queue, Request(60)).__enter__())
        until(lambda: queue.awaited)
        pause()
        assert queue.awaited
    other.join(10)
    assert not queue.awaited


@pytest.mark.parametrize("waits", [False, True])
def test_work_that_nobody_waits_for_stops(waits):
    queue, request, caught = Queue(), Request(60), []

    def work():
        try:
            with RequestTurn(queue, request) as turn, working_by(turn):
                while True:
                    pause()
        except RequestEnded as ended:
            caught.append(ended)

    if waits:
        queue.enter(lambda: None)
    thread = in_thread(work)
    if waits:
        until(lambda: queue.awaited)
    request.leave()
    thread.join(10)
    assert [type(one) for one in caught] == [RequestEnded]
    if waits:
        queue.leave()
    with RequestTurn(queue, Request(60)):  # it is free
        pass


def test_work_that_takes_too_long_stops():
    def work():
        with RequestTurn(Queue(), Request(0.01)) as turn, working_by(turn):
            while True:
                pause()

    with pytest.raises(TimedOut, match=r"after 0.01 seconds \(timeout\)"):
        work()


def test_a_turn_that_is_handed_over_while_it_is_given_up_goes_to_the_next():
    queue = Queue()
    queue.enter(lambda: None)

    def gone():
        queue.leave()  # hands it to the one who is about to give up
        raise TimedOut("late")

    with pytest.raises(TimedOut):
        queue.enter(gone)
    queue.enter(lambda: None)  # it is free
    queue.leave()


def test_blocks_aside_may_pause_and_be_nested(monkeypatch):
    monkeypatch.setattr(turns, "_QUANTUM", 0.0)
    queue, done = Queue(), threading.Event()

    def work():
        with RequestTurn(queue, Request(60)) as turn, working_by(turn), aside():
            queue.enter(lambda: None)  # another request computes, and a third one waits
            waiting = in_thread(queue.enter, lambda: None)
            until(lambda: queue.awaited)
            pause()
            with aside():
                pause()
            queue.leave()
            waiting.join(10)
            queue.leave()
        done.set()

    in_thread(work)
    assert done.wait(5)
    assert not queue.awaited
    with RequestTurn(queue, Request(1)):  # it is free
        pass


def test_without_a_turn_nothing_is_asked():
    pause()
    with aside(), holding(threading.Lock()):
        pass


def test_a_lock_is_not_awaited_by_those_who_left():
    lock, request = threading.Lock(), Request(60)
    lock.acquire()
    request_turn = RequestTurn(Queue(), request)
    with request_turn as turn, working_by(turn):
        request.leave()
        with pytest.raises(RequestEnded), aside(), holding(lock):
            pass


class Slow(keras.Model):
    """A model that, instead of being compiled, waits for a sign."""

    def __init__(self):
        super().__init__()
        self.compiling, self.sign = threading.Event(), threading.Event()

    def predict_on_batch(self, x):
        self.compiling.set()
        assert self.sign.wait(10)
        return x


def test_others_go_on_while_a_model_is_compiled():
    queue, model, done = Queue(), Slow(), []

    def compile_it():
        with RequestTurn(queue, Request(60)) as turn, working_by(turn):
            done.append(predict_batch(model, {"x": np.zeros(3)})["x"].shape)

    thread = in_thread(compile_it)
    assert model.compiling.wait(10)
    with RequestTurn(queue, Request(60)):
        assert not done
    model.sign.set()
    thread.join(10)
    assert done == [(3,)]


def test_limits_are_above_0_and_refuse_by_name():
    for name in ("max_request_bytes", "max_rows", "max_steps", "max_requests", "timeout"):
        with pytest.raises(ConfigError, match=f"{name}: expected a.* number above 0, got 0"):
            ServingLimits(**{name: 0})
    with pytest.raises(ConfigError, match="max_rows: expected a whole number above 0, got 1.5"):
        ServingLimits(max_rows=1.5)
    LIMITS.check_rows(LIMITS.max_rows)
    LIMITS.check_steps(LIMITS.max_steps, "characters")
    with pytest.raises(
        DataError, match=r"the request has 11 rows, and at most 10 are served \(max_rows\): send it in parts"
    ):
        ServingLimits(max_rows=10).check_rows(11)
    with pytest.raises(DataError, match=r"asks for 11 steps \(characters\), and at most 10 are served \(max_steps\)"):
        ServingLimits(max_steps=10).check_steps(11, "characters")
