"""Where a body is decoded: small ones in place, large ones in a process of their own, in a thread while there is none.

The process has an interpreter lock of its own, so that what is counted meanwhile does not wait for what is decoded. It
is started by the first large body, and again after it was lost; an export that it had then is given back to its sender.
"""

import asyncio
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from queue import SimpleQueue
from threading import Lock, Thread

from collector.decode import Decoded, Undecodable
from collector.decode_process import READY, Lost, ask, receive, told
from collector.decoders import Decode
from collector.metrics import DECODE_PROCESSES, Metrics
from collector.otlp_status import Encoding, Signal

START_AGAIN_SECONDS = 5.0
"""A process that is lost is not replaced sooner than this after it was started."""
END_SECONDS = 2.0
"""For the process to end when it is told to."""


class Decoding:
    """All decoding of one collector. ``close`` at the end."""

    def __init__(
        self,
        decoders: Mapping[tuple[Signal, Encoding], Decode],
        metrics: Metrics,
        seconds: Callable[[], float],
        *,
        inline_bytes_max: int,
        in_process: bool = False,
    ) -> None:
        self._decoders = decoders
        self._metrics = metrics
        self._seconds = seconds
        self._inline_bytes_max = inline_bytes_max
        self._in_process = in_process
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="decode")
        self._process: DecodeProcess | None = None
        self._start_after = 0.0

    def knows(self, signal: Signal, encoding: Encoding) -> bool:
        """Whether such bodies are decoded at all."""
        return (signal, encoding) in self._decoders

    async def decode(self, signal: Signal, encoding: Encoding, tenant: str, received_ns: int, body: bytes) -> Decoded:
        """The spans of ``body``. Raises ``Undecodable`` and ``Lost``."""
        decode = self._decoders[signal, encoding]
        if len(body) <= self._inline_bytes_max:
            return decode(body, tenant, received_ns)
        process = self._running()
        if process is not None:
            return await process.decode(ask(signal, encoding, tenant, received_ns, body))
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, decode, body, tenant, received_ns)

    def close(self) -> None:
        """Let the thread and the process go."""
        self._thread.shutdown(wait=False)
        if self._process is not None:
            self._process.close()

    def _running(self) -> "DecodeProcess | None":
        """The process, where it is ready; begins to start one where there is none."""
        process = self._process
        if process is not None and not process.is_lost:
            return process if process.is_ready else None
        if self._in_process and self._seconds() >= self._start_after:
            self._start_after = self._seconds() + START_AGAIN_SECONDS
            self._process = DecodeProcess(asyncio.get_running_loop())
            self._metrics.count(DECODE_PROCESSES)
        return None


_Answer = asyncio.Future[Decoded]


class DecodeProcess:
    """One life of the process. Bodies are sent in one thread and answers read in another, in the same order."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.is_ready = False
        self.is_lost = False
        self._loop = loop
        self._link, theirs = socket.socketpair()
        with theirs:
            descriptor = theirs.fileno()
            self._process = subprocess.Popen(
                [sys.executable, "-m", "collector.decode_process", str(descriptor)],
                pass_fds=[descriptor], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            )  # fmt: skip
        self._turn = Lock()
        self._waiting: deque[_Answer] = deque()
        self._outgoing: SimpleQueue[bytes | None] = SimpleQueue()
        self._sender = Thread(target=self._send, name="to decode", daemon=True)
        self._reader = Thread(target=self._read, name="decoded", daemon=True)
        self._sender.start()
        self._reader.start()

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    async def decode(self, message: bytes) -> Decoded:
        """The answer to ``message``. Raises ``Undecodable`` and ``Lost``."""
        answer: _Answer = self._loop.create_future()
        with self._turn:
            if self.is_lost:
                raise Lost("the decoding process is gone")
            self._waiting.append(answer)
            self._outgoing.put(message)
        return await answer

    def close(self) -> None:
        """Ends the process; what it was still decoding is lost."""
        self._hang_up()
        self._reader.join()

    def _hang_up(self) -> None:
        with suppress(OSError):  # already
            self._link.shutdown(socket.SHUT_RDWR)

    def _send(self) -> None:
        while (message := self._outgoing.get()) is not None:
            try:
                self._link.sendall(message)
            except OSError:
                return  # whoever reads finds out, too
            message = None  # or the last body stays until the next comes

    def _read(self) -> None:
        try:
            self.is_ready = receive(self._link) == READY
            while self.is_ready and (message := receive(self._link)) is not None:
                self._tell(self._waiting.popleft(), message)
                message = None
        except (OSError, RuntimeError):
            pass  # the same as the end; the loop is closed
        self._lose()
        self._hang_up()
        self._sender.join()
        self._link.close()
        self._end()

    def _tell(self, answer: _Answer, message: bytes) -> None:
        try:
            result: Decoded | Exception = told(message)
        except (Undecodable, Lost) as fault:
            result = fault
        self._loop.call_soon_threadsafe(_settle, answer, result)

    def _lose(self) -> None:
        with self._turn:
            self.is_lost = True
        self._outgoing.put(None)
        try:
            while self._waiting:
                gone = Lost("the decoding process is gone")
                self._loop.call_soon_threadsafe(_settle, self._waiting.popleft(), gone)
        except RuntimeError:
            pass  # the loop is closed: nobody waits

    def _end(self) -> None:
        try:
            self._process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _settle(answer: _Answer, result: Decoded | Exception) -> None:
    if answer.done():
        return
    if isinstance(result, Exception):
        answer.set_exception(result)
    else:
        answer.set_result(result)
