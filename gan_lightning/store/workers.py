"""Tasks shared among processes that end when the one that started them does."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import TypeVar

__all__ = ["shared_out"]

Task = TypeVar("Task")
Result = TypeVar("Result")


def shared_out(
    work: Callable[[Task], Result], tasks: Iterable[Task], processes: int
) -> Generator[Result, None, None]:
    """Do tasks in several processes, each as soon as one is free; yield results as they come.

    Unlike an executor's, a worker waits at a pipe of its own: it sees the end of this process,
    even by SIGKILL, and ends. Workers leave signals to this process.
    Closing the iterator ends them.

    Args:
        work: what is done; it is pickled once for each process, a task each time.
        tasks: in the order in which they are begun.
        processes: at least 1, which is this one.

    Raises:
        RuntimeError: a worker died.
        Exception: what `work` raises.
    """
    if processes == 1:
        yield from map(work, tasks)
        return
    context = multiprocessing.get_context("spawn")
    waiting = iter(tasks)
    pipes: dict[Connection, BaseProcess] = {}
    try:
        with _signals_wait():
            for _, task in zip(range(processes), waiting, strict=False):
                here, there = context.Pipe()
                worker: BaseProcess = context.Process(
                    target=_serve, args=(there, work), daemon=True
                )
                worker.start()
                there.close()
                pipes[here] = worker
                here.send(task)
        busy = list(pipes)
        while busy:
            for pipe in wait(busy):
                assert isinstance(pipe, Connection)
                try:
                    result = pipe.recv()
                except (EOFError, ConnectionResetError):
                    pipes[pipe].join()
                    raise RuntimeError(
                        f"a worker process ended with code {pipes[pipe].exitcode}; out of memory?"
                    ) from None
                if isinstance(result, BaseException):
                    raise result
                try:
                    pipe.send(next(waiting))
                except StopIteration:
                    busy.remove(pipe)
                yield result
    finally:
        for pipe, worker in pipes.items():
            pipe.close()
            worker.kill()  # one that is busy too: nobody waits for its result
            worker.join()


@contextmanager
def _signals_wait() -> Iterator[None]:
    """Let signals wait for the block's end; a process that is started in it never gets them.

    A process inherits which signals are blocked. That alone does not keep them from this one, whose
    other threads may get them.
    """
    numbers = (signal.SIGINT, signal.SIGTERM)
    heard: list[int] = []

    def note(number: int, _: object) -> None:
        heard.append(number)

    handlers = {number: signal.signal(number, note) for number in numbers}
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        for number, handler in handlers.items():
            signal.signal(number, handler)
        for heard_number in heard:
            signal.raise_signal(heard_number)


def _serve(pipe: Connection, work: Callable[[Task], Result]) -> None:
    """Answer one task after the other, until the pipe closes."""
    while True:
        try:
            task = pipe.recv()
        except EOFError:
            return
        try:
            result: object = work(task)
        except Exception as error:  # whatever it is, the first process raises it
            result = error
        try:
            pipe.send(result)
        except BrokenPipeError:
            return
