"""How long somebody waits who has failed to sign in: nothing at first, then twice as long each time.

Failures are counted by who tries for whom from where (a person mistypes), by address (one machine tries many names),
and by name (many machines try one name; lenient, for else anybody could lock anybody out). Time forgives one in each
quarter of an hour, the longest wait, so that guessing gets no quicker by that and mistakes do not add up for ever.
"""

from __future__ import annotations

from collections.abc import Iterator

from storage.database import Transaction
from storage.people.users import as_name

FREE = {"both": 5, "address": 20, "name": 50}  # so many failures cost no wait
LONGEST_WAIT_S = 900.0


def attempt(tx: Transaction, name: str, address: str, now: float) -> float:
    """Count an attempt, unless it comes too soon: then give for how many seconds none is looked at."""
    wait = wait_s(tx, name, address, now)
    if not wait:
        count(tx, name, address, now)
    return wait


def wait_s(tx: Transaction, name: str, address: str, now: float) -> float:
    """For how many seconds no further attempt is looked at; 0 where the next one is."""
    waits = [0.0]
    for kind, key in _keys(name, address):
        failures, last = tx.sign_ins.failures(key, now)
        if pause := _pause_s(failures - FREE[kind]):
            waits.append(min(pause, last + pause - now))  # the clock may have been set back since
    return max(waits)


def count(tx: Transaction, name: str, address: str, now: float) -> None:
    """An attempt is made: it counts as failed until it has succeeded, so that many at once gain nothing."""
    for _, key in _keys(name, address):
        tx.sign_ins.failed(key, now)


def forgive(tx: Transaction, name: str, address: str, now: float) -> None:
    """Somebody has come in by this name: who failed for it is forgotten.

    The address keeps what failed there for other names: one good name must not help to guess those.
    """
    keys = dict(_keys(name, address))
    mistyped, _ = tx.sign_ins.failures(keys["both"], now)  # an attempt that was counted and has succeeded among them
    tx.sign_ins.succeeded(keys["both"])  # in the order in which `count` takes them, so that none waits for the other
    tx.sign_ins.taken_back(keys["address"], mistyped)
    tx.sign_ins.succeeded(keys["name"])


def _pause_s(beyond: int) -> float:
    return 0.0 if beyond < 0 else min(LONGEST_WAIT_S, 2.0**beyond)


def _keys(name: str, address: str) -> Iterator[tuple[str, str]]:
    yield "both", f"{as_name(name)}\n{address}"
    yield "address", f"address {address}"
    yield "name", f"name {as_name(name)}"
