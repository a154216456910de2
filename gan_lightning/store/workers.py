"""A process pool whose workers end together with the process that started them."""

from __future__ import annotations

import multiprocessing
import signal
import sys
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import TypeVar, cast

__all__ = ["parallel_map"]

Task = TypeVar("Task")
Result = TypeVar("Result")


def parallel_map(
    function: Callable[[Task], Result], tasks: Iterable[Task], processes: int
) -> Generator[Result, None, None]:
    """Apply a function to tasks in several processes; yield results as they are computed.

    Unlike those of `concurrent.futures.ProcessPoolExecutor`, each worker waits at a pipe of its
    own, so it ends when this process ends, even by SIGKILL. Workers ignore SIGINT and SIGTERM,
    which this process handles. Closing the generator ends the workers.

    Args:
        function: pickled once for each process.
        tasks: pickled one by one, when a worker becomes free.
        processes: number of processes; 1 computes in this process.

    Raises:
        RuntimeError: a worker was killed.
        Exception: the error that `function` raised.
    """
    if processes == 1:
        yield from map(function, tasks)
        return
    context = multiprocessing.get_context("spawn")
    remaining = iter(tasks)
    workers: dict[Connection, BaseProcess] = {}
    try:
        with _signals_deferred():
            for _, task in zip(range(processes), remaining, strict=False):
                local, remote = context.Pipe()
                worker: BaseProcess = context.Process(
                    target=_run_worker, args=(remote, function), daemon=True
                )
                worker.start()
                remote.close()
                workers[local] = worker
                local.send(task)
        busy = list(workers)
        while busy:
            for pipe in cast("list[Connection]", wait(busy)):
                try:
                    result = pipe.recv()
                except (EOFError, ConnectionResetError):
                    workers[pipe].join()
                    raise RuntimeError(
                        f"a worker process ended with code {workers[pipe].exitcode}; the machine "
                        f"may be out of memory"
                    ) from None
                if isinstance(result, BaseException):
                    raise result
                try:
                    pipe.send(next(remaining))
                except StopIteration:
                    busy.remove(pipe)
                yield result
    finally:
        for pipe, worker in workers.items():
            pipe.close()
            worker.kill()  # a busy worker too: its result is not needed any more
            worker.join()


@contextmanager
def _signals_deferred() -> Iterator[None]:
    """Defer SIGINT and SIGTERM to the end of the block; processes started in it never get them.

    A process inherits the mask of blocked signals. The mask alone does not defer signals of this
    process, since another thread of it may receive them. Only the main thread can defer signals;
    another one blocks them for the processes alone.
    """
    numbers = (signal.SIGINT, signal.SIGTERM)
    if threading.current_thread() is not threading.main_thread():
        with _signals_blocked(numbers):
            yield
        return
    received: list[int] = []
    handlers = {
        number: signal.signal(number, lambda number, _: received.append(number))
        for number in numbers
    }
    try:
        with _signals_blocked(numbers):
            yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        for signal_number in received:
            signal.raise_signal(signal_number)


@contextmanager
def _signals_blocked(numbers: Iterable[signal.Signals]) -> Iterator[None]:
    """Block signals in this thread; Windows, where workers see Ctrl-C too, cannot."""
    if sys.platform == "win32":
        yield
        return
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _run_worker(pipe: Connection, function: Callable[[Task], Result]) -> None:
    """Receive tasks and send results until the pipe is closed."""
    while True:
        try:
            task = pipe.recv()
        except EOFError:
            return
        try:
            result: object = function(task)
        except Exception as error:  # the parent process raises it
            result = error
        try:
            pipe.send(result)
        except BrokenPipeError:
            return
