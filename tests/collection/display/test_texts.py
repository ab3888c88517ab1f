"""Every text has both languages, and every text that is asked for is there."""

from __future__ import annotations

import ast
import re
from importlib import resources
from string import Formatter

from meterseal.collection.display.history import RANGES, TARIFFS
from meterseal.collection.display.texts import TEXTS
from meterseal.collection.display.users import Role
from meterseal.collection.model import EventCode, Quality, Quantity
from meterseal.collection.receipts import Verdict
from meterseal.collection.station.store.alarms import CERTIFICATE, CLOCK, CLONE, CONFLICT, GAP

PACKAGE = resources.files("meterseal.collection.display")
ASIAN = re.compile(r"[\u4e00-\u9fff]")


def test_a_text_is_in_both_languages_and_has_the_same_parts() -> None:
    for key, (chinese, english) in TEXTS.items():
        assert ASIAN.search(chinese), key
        assert english, key
        assert not ASIAN.search(english), key
        parts = [
            {name for _, name, _, _ in Formatter().parse(text) if name}
            for text in (chinese, english)
        ]
        assert parts[0] == parts[1], key


def keys_of_names() -> set[str]:
    """Keys that are put together from names."""
    keys = {f"verdict_{verdict.name}" for verdict in Verdict}
    keys |= {f"alarm_{code.name}" for code in EventCode} | {
        f"alarm_{k}" for k in (CERTIFICATE, CLOCK, CLONE, CONFLICT, GAP)
    }
    keys |= {f"quality_{flag.name}" for flag in [*Quality, Quality.SOUND]}
    keys |= {f"role_{role.name}" for role in Role}
    keys |= {f"state_{state}" for state in ("online", "late", "silent")}
    keys |= {f"kind_{kind}" for kind in ("Reading", "EventRecord", "Snapshot", "unreadable")}
    keys |= {f"range_{name}" for name in RANGES} | {f"tariff_{name}" for name in TARIFFS}
    keys |= {f"origin_{origin}" for origin in ("meter", "station")}
    kinds = ("limit", "idle", "handshake_timeout", "not_allowed", "malformed", "handshake")
    keys |= {f"turned_{kind}" for kind in (*kinds, "certificate", "connection")}
    return keys | {re.sub("_[ABC]$", "", quantity.name) for quantity in Quantity}


def keys_in_use() -> set[str]:
    """Every string in the code and the templates that looks like a key."""
    found: set[str] = set()
    for module in PACKAGE.iterdir():
        if module.name.endswith(".py") and module.name != "texts.py":
            tree = ast.walk(ast.parse(module.read_text()))
            constants = [each.value for each in tree if isinstance(each, ast.Constant)]
            found |= {each for each in constants if isinstance(each, str)}
    for template in (PACKAGE / "templates").iterdir():
        found |= set(re.findall(r"'([a-zA-Z_]+)'", template.read_text()))
    return found


def test_every_text_that_is_asked_for_is_there() -> None:
    asked: set[str] = set()
    for template in (PACKAGE / "templates").iterdir():
        asked |= set(re.findall(r"\bt\('([a-zA-Z_]+)'\s*[,)]", template.read_text()))
    assert asked <= TEXTS.keys()
    assert keys_of_names() <= TEXTS.keys()


def test_no_text_is_there_that_nobody_asks_for() -> None:
    assert TEXTS.keys() - keys_in_use() - keys_of_names() == set()
