"""The workloads: messages, as a client has them ready, on how many connections, and who gets the answers."""

from __future__ import annotations

import dataclasses
import functools
import json
import random
import string

from benchmarks.websocket import client

MESSAGES = 64
"""So many different messages are sent in turn, so that no compressor finds the same one in its window."""
IN_FLIGHT = (1, 2, 4, 8, 16)
"""How many messages a connection may have under way; they leave together."""
ECHO = "/echo"
BROADCAST = "/broadcast"


@dataclasses.dataclass(frozen=True)
class Workload:
    """What is measured.

    With the path ECHO every connection sends, and is sent back what it said; with BROADCAST the first one sends one
    message at a time, and all are sent it. `idle` connections have sent one message, and wait.
    """

    name: str
    title: str
    path: str
    connections: int
    messages: list[str] | list[bytes] = dataclasses.field(repr=False)
    compressed: bool = False
    idle: bool = False

    def in_flight(self, wanted: int) -> int:
        """How many messages a sender has under way, of those that are wanted."""
        return 1 if self.path == BROADCAST else wanted

    def bursts(self, in_flight: int) -> list[bytes]:
        """The octets that a sender writes, one after another and from the beginning again."""
        frames = self.frames
        return [b"".join(frames[at : at + in_flight]) for at in range(0, len(frames), in_flight)]

    @functools.cached_property
    def frames(self) -> list[bytes]:
        """The frame of each message."""
        return client.encode_messages(self.messages, self.compressed)

    @functools.cached_property
    def answer_size(self) -> int:
        """Octets of the frame that answers a message, if it is not compressed."""
        message = self.messages[0]
        size = len(message.encode() if isinstance(message, str) else message)
        return size + (2 if size < 126 else 4 if size < 65536 else 10)


def _chat_messages(size: int) -> list[str]:
    """JSON of `size` octets each, with words of every day and letters that are not ASCII."""
    chance = random.Random(1)
    words = ["".join(chance.choices(string.ascii_lowercase, k=chance.randint(2, 9))) for _ in range(300)]
    messages = []
    for number in range(MESSAGES):
        text = json.dumps({"id": 100_000 + number, "room": "Gruß", "author": chance.choice(words)}, ensure_ascii=False)
        text = text[:-1] + ', "text": "'
        while (missing := size - len(text.encode()) - 2) > 10:
            text += chance.choice(words) + " "
        messages.append(text + "." * missing + '"}')
    return messages


def _all() -> list[Workload]:
    chat = _chat_messages(1024)
    short = [text[-42:-10] for text in _chat_messages(160)]
    octets = [random.Random(number).randbytes(65536) for number in range(16)]
    return [
        Workload("text32", "echo of 32 B of text", ECHO, 32, short),
        Workload("text1k", "echo of 1 KiB of text", ECHO, 32, chat),
        Workload("binary64k", "echo of 64 KiB", ECHO, 8, octets),
        Workload("deflate1k", "echo of 1 KiB of text, compressed both ways", ECHO, 32, chat, compressed=True),
        Workload("broadcast", "1 KiB of text to all, counted as each gets it", BROADCAST, 1000, chat),
        Workload("broadcast_deflate", "1 KiB of text to all, compressed", BROADCAST, 1000, chat, compressed=True),
        Workload("idle", "memory after 1 KiB of text each way", ECHO, 1000, chat, idle=True),
        Workload(
            "idle_deflate",
            "memory after 1 KiB of text each way, compressed",
            ECHO,
            1000,
            chat,
            compressed=True,
            idle=True,
        ),
    ]


WORKLOADS = {workload.name: workload for workload in _all()}
