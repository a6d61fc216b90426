"""A request to stop is known, whoever caught the signal."""

import os
import signal
import threading

from fullscript_pipeline.orchestration.runtime.stop_signals import stop_requests


def test_a_signal_that_a_library_swallowed_is_known() -> None:
    before = signal.signal(signal.SIGTERM, lambda *_: None)
    try:
        with stop_requests() as asked:
            assert not asked()
            os.kill(os.getpid(), signal.SIGTERM)
            assert asked()
            assert asked(), "it stays known"
        assert signal.set_wakeup_fd(-1) == -1, "what was there before is back"
    finally:
        signal.signal(signal.SIGTERM, before)


def test_other_signals_stop_nothing() -> None:
    before = signal.signal(signal.SIGUSR1, lambda *_: None)
    try:
        with stop_requests() as asked:
            os.kill(os.getpid(), signal.SIGUSR1)
            assert not asked()
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_outside_the_main_thread_nothing_is_known() -> None:
    told: list[bool] = []

    def work() -> None:
        with stop_requests() as asked:
            told.append(asked())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert told == [False]
