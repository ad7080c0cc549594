"""The load: many connections in one loop over epoll, for a bounded time.

Frames are ready before the window begins, a burst leaves by one `send`, and of what comes back only the octets are
counted (compressed answers differ in length: there the heads of frames are read). So a message costs the load about as
much as it costs the bare protocol. That the answers are right was seen to before (peers.check_answers).
"""

from __future__ import annotations

import itertools
import select
import socket
import time
from collections.abc import Iterator

from benchmarks.macro.load import Figures, LoadFailed
from benchmarks.macro.peers import WrongAnswer
from benchmarks.websocket.client import TIMEOUT, Client
from benchmarks.websocket.workloads import BROADCAST, Workload

_BUFFER = 2**18


class _Exchange:
    """A sender with its bursts, and how much of the answers to the last one is still to come."""

    __slots__ = ("began", "bursts", "left", "socket", "unsent", "whole")

    def __init__(self, sender: socket.socket, bursts: list[bytes], whole: int) -> None:
        self.socket = sender
        self.bursts: Iterator[bytes] = itertools.cycle(bursts)
        self.whole = whole
        self.left = 0
        self.began = 0.0
        self.unsent = memoryview(b"")


class _Receiver:
    """A connection on which answers come. `rest` is the beginning of a compressed one."""

    __slots__ = ("exchange", "receive_into", "rest")

    def __init__(self, sock: socket.socket, exchange: _Exchange) -> None:
        self.receive_into = sock.recv_into
        self.exchange = exchange
        self.rest = b""

    def count(self, data: memoryview) -> int:
        """How many frames, each below 64 KiB, are whole now."""
        octets = self.rest + data
        size, at, number = len(octets), 0, 0
        while size - at > 3:
            length = octets[at + 1]
            end = at + 2 + length if length < 126 else at + 4 + (octets[at + 2] << 8 | octets[at + 3])
            if end > size:
                break
            number += 1
            at = end
        self.rest = octets[at:]
        return number


class Load:
    """All connections of a workload, open; the first bursts have left.

    Args:
        port: of the server.
        workload: what is sent.
        in_flight: messages that each connection has under way where all send.

    Raises LoadFailed if they cannot be opened.
    """

    def __init__(self, port: int, workload: Workload, in_flight: int) -> None:
        self._clients: list[Client] = []
        self._receivers: dict[int, _Receiver] = {}
        self._epoll = select.epoll()
        self._compressed = workload.compressed
        try:
            for _ in range(workload.connections):
                self._clients.append(Client(port, workload.path, workload.compressed))
            self._begin(workload, workload.in_flight(in_flight))
        except (WrongAnswer, OSError) as exc:
            self.close()
            raise LoadFailed(f"connection {len(self._clients)}: {exc!r}") from None

    def _begin(self, workload: Workload, in_flight: int) -> None:
        unit = 1 if workload.compressed else workload.answer_size
        bursts = workload.bursts(in_flight)
        together = workload.path == BROADCAST
        answered = len(self._clients) if together else 1
        self._unit = unit
        senders = self._clients[:1] if together else self._clients
        self._exchanges = [_Exchange(client.socket, bursts, unit * in_flight * answered) for client in senders]
        for index, client in enumerate(self._clients):
            client.socket.setblocking(False)
            self._receivers[client.socket.fileno()] = _Receiver(
                client.socket, self._exchanges[0 if together else index]
            )
            self._epoll.register(client.socket, select.EPOLLIN)
        for exchange in self._exchanges:
            self._send_next(exchange)

    def run(self, seconds: float) -> tuple[Figures, float]:
        """Exchange messages for so long.

        Returns: the figures (the times are those of whole bursts), and how many octets an answer had on average.

        Raises LoadFailed if the server does not answer, answers too much, or closes a connection.
        """
        times: list[float] = []
        octets = 0
        answered = -self._answered()
        begun = time.perf_counter()
        try:
            while time.perf_counter() - begun < seconds:
                events = self._epoll.poll(TIMEOUT)
                if not events:
                    raise LoadFailed(f"no answer within {TIMEOUT:.0f} s")
                octets += self._handle(events, times)
        except OSError as exc:
            raise LoadFailed(f"a connection broke: {exc!r}") from None
        elapsed = time.perf_counter() - begun
        answered += len(times) * self._exchanges[0].whole + self._answered()
        messages = answered // self._unit
        times.sort()
        p50, p99, p999 = (round(times[int(len(times) * part)] * 1e6) if times else 0 for part in (0.5, 0.99, 0.999))
        return Figures(messages, elapsed, p50, p99, p999, {}), octets / messages if messages else 0.0

    def _answered(self) -> int:
        """What has come of the answers to the last bursts."""
        return sum(exchange.whole - exchange.left for exchange in self._exchanges)

    def _handle(self, events: list[tuple[int, int]], times: list[float]) -> int:
        receivers, compressed, clock = self._receivers, self._compressed, time.perf_counter
        octets = 0
        for number, what in events:
            receiver = receivers[number]
            exchange = receiver.exchange
            if what & select.EPOLLOUT:
                self._send_rest(exchange)
                if not what & ~select.EPOLLOUT:
                    continue
            size = receiver.receive_into(_INTO)
            if not size:
                raise LoadFailed("the server closed a connection")
            octets += size
            exchange.left -= receiver.count(_INTO[:size]) if compressed else size
            if exchange.left <= 0:
                if exchange.left:
                    raise LoadFailed("the server sent more than the answers")
                times.append(clock() - exchange.began)
                self._send_next(exchange)
        return octets

    def _send_next(self, exchange: _Exchange) -> None:
        exchange.left = exchange.whole
        exchange.began = time.perf_counter()
        burst = next(exchange.bursts)
        sent = exchange.socket.send(burst)
        if sent < len(burst):
            exchange.unsent = memoryview(burst)[sent:]
            self._epoll.modify(exchange.socket, select.EPOLLIN | select.EPOLLOUT)

    def _send_rest(self, exchange: _Exchange) -> None:
        exchange.unsent = exchange.unsent[exchange.socket.send(exchange.unsent) :]
        if not exchange.unsent:
            self._epoll.modify(exchange.socket, select.EPOLLIN)

    def close(self) -> None:
        """Drop the connections; the server is ended anyway."""
        self._epoll.close()
        for client in self._clients:
            client.socket.close()


_INTO = memoryview(bytearray(_BUFFER))
