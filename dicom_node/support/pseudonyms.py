"""Views and texts without a word on whose they are: patients' words hidden, identifiers replaced by pseudonyms.

A pseudonym is a keyed hash (HMAC, FIPS 198-1) whose key stays in the site's database: the same identifier is the same
pseudonym in every bundle of a site, and nobody without the key can find the identifier that belongs to one.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from ipaddress import AddressValueError, IPv4Address
from typing import Any

from dicom_node.masking import GOES_ON, HIDDEN, OURS, SHORTEST_NAME, SPACELESS, identifying
from storage.database import Database, Transaction
from storage.finding.search import Sought

KEY = "support bundle"  # name of the key among those of the node
PAGE = 500
STANDARDS_OWN = "1.2.840.10008."  # UIDs of SOP classes and transfer syntaxes (PS3.6 A)
SHORTEST = 12  # letters of a dotted number that is no version
UID = re.compile(r"(?<![\w.])[0-2](?:\.\d+){2,}(?!\w|\.\d)")
HASH = re.compile(r"(?<!\w)[0-9a-f]{64}(?!\w)")  # a job's identity follows from its images
LETTERS = re.compile(rf"{GOES_ON}+")
RUN = re.compile(rf"[{SPACELESS}]+")  # of words without spaces
LONGEST_NAME = 16  # letters of such a word
NUMBER_LIKE = re.compile(r"[^\W_]+(?:[-./'^][^\W_]+)+")  # P-17, 1901-02-03

IDENTIFIERS = frozenset({"study", "series", "sop_instance_uid", "transaction", "job", "seg", "note_uid"})


def site_key(database: Database) -> bytes:
    """The site's key; made where there is none."""
    with database.transaction() as tx:
        return bytes.fromhex(tx.keys.get(KEY))


def keyed(key: bytes, identifier: str) -> str:
    """The keyed hash of an identifier, short enough to be read."""
    return hmac.new(key, identifier.encode(), hashlib.sha256).hexdigest()[:16]


@dataclass(frozen=True)
class Pseudonyms:
    """What hides and replaces; `words` are those by which patients could be told, in small letters.

    `dates` are those of the studies, which are hidden wherever they stand by themselves.
    """

    key: bytes = field(repr=False)
    words: frozenset[str] = field(repr=False)
    dates: frozenset[str] = field(default=frozenset(), repr=False)

    @classmethod
    def of(cls, tx: Transaction, key: bytes) -> Pseudonyms:
        """For everybody whose studies, and everybody whose account, this node knows at that moment; reads every header.

        What is hidden by it is to be asked before: who comes later is not known.
        """
        words = {user.name.casefold() for user in tx.users.list()}
        dates: set[str] = set()
        for header in _headers(tx):
            words.update(word.casefold() for word in identifying(header))
            dates.update(_date(str(header.get("StudyDate") or "")))
        return cls(key, frozenset(words), frozenset(dates))

    def of_identifier(self, uid: str) -> str:
        """Its pseudonym; what is empty stays so, and the standard's own UIDs name nobody."""
        if not uid or uid.startswith(STANDARDS_OWN):
            return uid
        return f"id-{keyed(self.key, uid)}"

    def text(self, text: str) -> str:
        """A text without the words, and with every identifier replaced."""
        return self._replaced(self._hidden(text))

    def view(self, data: Any, key: str = "") -> Any:
        """A view, whatever it is made of; keys of mappings may be identifiers as well."""
        if isinstance(data, Mapping):
            return {self._replaced(str(name)): self.view(value, str(name)) for name, value in data.items()}
        if isinstance(data, list | tuple):
            return [self.view(one, key) for one in data]
        if not isinstance(data, str):
            return data
        if key in IDENTIFIERS:
            return self.of_identifier(data)
        return self._replaced(data) if key in OURS else self.text(data)

    def _replaced(self, text: str) -> str:
        def uid(found: re.Match[str]) -> str:
            return self.of_identifier(found.group()) if _is_uid(found.group()) else found.group()

        return HASH.sub(lambda found: self.of_identifier(found.group()), UID.sub(uid, text))

    def _hidden(self, text: str) -> str:
        def known(found: re.Match[str]) -> str:
            word = found.group().casefold()
            return HIDDEN if word in self.words or word in self.dates else found.group()

        def holds_one(found: re.Match[str]) -> str:
            return HIDDEN if any(part in self.words for part in _parts(found.group())) else found.group()

        hide: Callable[[str], str] = lambda said: LETTERS.sub(known, NUMBER_LIKE.sub(known, said))  # noqa: E731
        return RUN.sub(holds_one, hide(self._odd.sub(HIDDEN, text) if self._odd else text))

    @cached_property
    def _odd(self) -> re.Pattern[str] | None:
        """Words that have other letters in them than those that are looked for one by one."""
        odd = [w for w in self.words if not any(kind.fullmatch(w) for kind in (LETTERS, NUMBER_LIKE, RUN))]
        return re.compile("|".join(re.escape(w) for w in sorted(odd, key=len, reverse=True)), re.I) if odd else None


def _parts(run: str) -> Iterator[str]:
    """Every part of a text without spaces that may be a name."""
    for start in range(len(run)):
        for end in range(start + SHORTEST_NAME, min(len(run), start + LONGEST_NAME) + 1):
            yield run[start:end]


def _headers(tx: Transaction) -> Iterator[Mapping[str, Any]]:
    """What every study says of its patient."""
    after = None
    while page := tx.search.studies(Sought(after=after, limit=PAGE)):
        yield from (study.header for study in page)
        after = (page[-1].received_at, page[-1].study_instance_uid)


def _date(day: str) -> Iterator[str]:
    """A date (PS3.5 6.2, DA) as it may be written in a sentence."""
    if len(day) == 8:
        yield from (day, f"{day[:4]}-{day[4:6]}-{day[6:]}")


def _is_uid(text: str) -> bool:
    """Whether a dotted number is a UID, and no version and no address."""
    try:
        IPv4Address(text)
    except AddressValueError:
        return len(text) >= SHORTEST or text.count(".") > 3
    return False


