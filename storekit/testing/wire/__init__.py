"""The wire: a relay between a client and its backend.

It counts what passes, breaks it where it is told to, and can answer in the backend's place::

    with Wire("http://127.0.0.1:8080") as wire:     # wire.endpoint: where the client connects
        wire.answers.arm(Reset(70_001))             # after so many bytes of what comes back
        wire.aim(Lose(), methods=WRITES, nth=3)     # the third write happens, its answer is lost
        wire.refuse()                               # nobody listens any more

What is aimed at a byte, and what is done to connections, works for any protocol over TCP; what is
aimed at a request needs plain HTTP before the backend. Every fault happens where it was aimed,
each time alike; nothing is left to chance.
"""

from __future__ import annotations

from storekit.testing.wire.answering import Answer, Append, Delay, Lose, Rechunk
from storekit.testing.wire.gate import Cut, Drip, Flip, Gate, Reset, Stall
from storekit.testing.wire.message import READS, WRITES, Request, http_answer
from storekit.testing.wire.relay import Aim, Wire
from storekit.testing.wire.tls import Tls

__all__ = [
    "READS",
    "WRITES",
    "Aim",
    "Answer",
    "Append",
    "Cut",
    "Delay",
    "Drip",
    "Flip",
    "Gate",
    "Lose",
    "Rechunk",
    "Request",
    "Reset",
    "Stall",
    "Tls",
    "Wire",
    "http_answer",
]
