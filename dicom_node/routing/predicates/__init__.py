"""Questions to a header, a geometry or a peer, one kind a file.

A new kind is a new module in this folder with a `Predicate` subclass whose `kind` is a literal; it is found by itself.
"""

from __future__ import annotations

import inspect
import pkgutil
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Union

from pydantic import Field

from dicom_node.routing.predicates.base import Answer, Predicate


def _kinds() -> dict[str, type[Predicate]]:
    found: dict[str, type[Predicate]] = {}
    for module in pkgutil.iter_modules(__path__):
        for member in vars(import_module(f"{__name__}.{module.name}")).values():
            if inspect.isclass(member) and issubclass(member, Predicate) and not inspect.isabstract(member):
                found[member.model_fields["kind"].default] = member
    return found


KINDS: dict[str, type[Predicate]] = _kinds()

if TYPE_CHECKING:
    AnyPredicate = Predicate
else:
    AnyPredicate = Annotated[Union[tuple(KINDS.values())], Field(discriminator="kind")]  # noqa: UP007
    for _kind in KINDS.values():  # all, any and not hold predicates of every kind
        _kind.model_rebuild(_types_namespace={"AnyPredicate": AnyPredicate})

__all__ = ["KINDS", "Answer", "AnyPredicate", "Predicate"]
