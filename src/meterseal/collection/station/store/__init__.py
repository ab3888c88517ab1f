"""Where the station keeps what it was sent: one interface, two databases.

Everything that a batch changes is one transaction: the statements, which sequences are known, what
is missing, the newest values of each meter, the alarms, the refusals. Aggregates follow in
transactions of their own, from what each batch put aside for them (`folding`). Statements
lie in a partition for each day, as the very bytes that were signed; no value stands anywhere else
to disagree with them. A station forgets a day by dropping its partition.
"""

from meterseal.collection.station.store.database import Database, StoreUnavailable
from meterseal.collection.station.store.open import open_store
from meterseal.collection.station.store.records import (
    Arrival,
    Check,
    Committed,
    LinkRecord,
    Refusal,
    Stored,
    TurnedAway,
)
from meterseal.collection.station.store.store import Store

__all__ = [
    "Arrival",
    "Check",
    "Committed",
    "Database",
    "LinkRecord",
    "Refusal",
    "Store",
    "StoreUnavailable",
    "Stored",
    "TurnedAway",
    "open_store",
]
