"""Where an association is let in: the decision of admission.py, put into pynetdicom's negotiation."""

from __future__ import annotations

import threading
from collections.abc import Callable

from pynetdicom import evt
from pynetdicom.acse import ACSE
from pynetdicom.association import Association
from pynetdicom.events import Event

from dicom_node.network.admission import Caller, HouseRules, Rejection, Role, decide, role_of

CLOSED = Rejection(2, 3, 1, "the node is about to end")  # transient, temporary congestion (PS3.8 Table 9-21)
USER_REJECTION = 1  # a presentation context's result (PS3.8 Table 9-18)


class Door:
    """Decides about each request, on all ports of the node together; `told` hears every rejection in words.

    Only associations that were let in count against the limit, so connections that say nothing take no place.
    """

    def __init__(self, rules: HouseRules, told: Callable[[str], None]) -> None:
        self._rules = rules
        self._told = told
        self._closed = False
        self._inside: set[Association] = set()
        self._lock = threading.Lock()

    def adopt(self, rules: HouseRules) -> None:
        """Decide by other rules from the next request on."""
        self._rules = rules

    def close(self) -> None:
        """Let nobody in any more, who is to try again: another node may have room."""
        self._closed = True

    def guard(self, event: Event) -> None:
        """Stand before a connection that has just been opened (EVT_CONN_OPEN)."""
        event.assoc.acse = _Gate(event.assoc, self)

    def admit(self, association: Association) -> Rejection | frozenset[Role]:
        """Let in, with the roles that are allowed, or not."""
        requestor = association.requestor
        request = requestor.primitive
        with self._lock:
            self._inside = {one for one in self._inside if one.is_alive()}
            caller = Caller(
                request.calling_ae_title, request.called_ae_title, requestor.address, len(self._inside)
            )
            verdict = CLOSED if self._closed else decide(caller, self._rules)
            if not isinstance(verdict, Rejection):
                self._inside.add(association)
        if isinstance(verdict, Rejection):
            code = f"{verdict.result}, {verdict.source}, {verdict.reason}"
            who = f"{caller.calling_aet.strip()!r} from {caller.address}"
            self._told(f"an association of {who} was rejected ({code}): {verdict.sentence}")
        return verdict

    def withheld(self, association: Association, roles: frozenset[Role], classes: int) -> None:
        """Tell that a caller may not use some of the classes that we have."""
        allowed = ", ".join(sorted(roles)) or "only C-ECHO"
        caller = f"{association.requestor.primitive.calling_ae_title.strip()!r} from {association.requestor.address}"
        self._told(f"{classes} presentation contexts of {caller} were rejected: it may {allowed}")


class _Gate(ACSE):
    """Asks the door before it negotiates, and withholds the classes of roles that are not allowed."""

    def __init__(self, association: Association, door: Door) -> None:
        super().__init__(association)
        self._door = door
        self._roles: frozenset[Role] = frozenset()
        self._withheld: set[str] = set()

    def negotiate_association(self) -> None:
        verdict = self._door.admit(self.assoc)
        if isinstance(verdict, Rejection):
            self.send_reject(verdict.result, verdict.source, verdict.reason)
            evt.trigger(self.assoc, evt.EVT_REJECTED, {})
            self.assoc.kill()
            return
        self._roles = verdict
        contexts = self.acceptor.supported_contexts
        allowed = [context for context in contexts if role_of(context.abstract_syntax) in {None, *verdict}]
        if len(allowed) < len(contexts):
            self._withheld = {str(c.abstract_syntax) for c in contexts} - {str(c.abstract_syntax) for c in allowed}
            self.acceptor.supported_contexts = allowed
        super().negotiate_association()

    def send_accept(self) -> None:
        """A context of a role that is not allowed is rejected by us, not unknown to us (PS3.8 Table 9-18)."""
        refused = [context for context in self.assoc.rejected_contexts if context.abstract_syntax in self._withheld]
        for context in refused:
            context.result = USER_REJECTION
        if refused:
            self._door.withheld(self.assoc, self._roles, len(refused))
        super().send_accept()
