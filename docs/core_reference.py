"""Document the compiled core by its stub, which has the types, and its docstrings."""

from __future__ import annotations

import inspect
from pathlib import Path

import griffe

from meterseal import _core

STUB = Path(__file__).parents[1] / "src/meterseal/_core.pyi"


class CoreReference(griffe.Extension):
    """Puts the stub, with docstrings, in the place of what an inspection of the binary finds."""

    def on_package(self, *, pkg: griffe.Module, **_: object) -> None:
        """Replace `meterseal._core`."""
        stub = griffe.visit("_core", filepath=STUB, code=STUB.read_text("utf-8"), parent=pkg)
        _document(stub, _core)
        pkg.set_member("_core", stub)


def _document(place: griffe.Module | griffe.Class, thing: object) -> None:
    for name, member in place.members.items():
        found = getattr(thing, name, None)
        if isinstance(member, griffe.Alias) or found is None:
            continue
        described = callable(found) or inspect.isdatadescriptor(found)
        if described and found.__doc__:
            member.docstring = griffe.Docstring(found.__doc__, parent=member)
        if isinstance(member, griffe.Class):
            _document(member, found)
