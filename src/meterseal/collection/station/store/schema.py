"""The tables. Times are UTC in ms; a meter is its twelve digits read as a number.

`statements_{day}` are the partitions: heaps in order of arrival with one small index, so that a
batch is written in one place and a day is dropped at once. In SQLite they are tables of the one
file, not files of their own: a commit over several attached files is not atomic in WAL mode.
`waiting` holds the values of readings that are stored and not in the aggregates yet.
"""

from typing import Final

__all__ = ["PARTITION_COLUMNS", "SCHEMA", "VERSION"]

VERSION: Final = 2

PARTITION_COLUMNS: Final = """
    day {int} NOT NULL,
    meter {int} NOT NULL,
    epoch {int} NOT NULL,
    sequence {int} NOT NULL,
    kind {int} NOT NULL,
    sampled_at {int} NOT NULL,
    received_at {int} NOT NULL,
    quality {int} NOT NULL,
    collector TEXT NOT NULL,
    signer {int} NOT NULL,
    sealed {blob} NOT NULL
"""

_AGGREGATE: Final = """
CREATE TABLE IF NOT EXISTS {name} (
    meter {{int}} NOT NULL,
    start {{int}} NOT NULL,
    readings {{int}} NOT NULL,
    codes {{blob}} NOT NULL,
    data {{blob}} NOT NULL,
    PRIMARY KEY (meter, start)
) {{clustered}};
"""

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value {int} NOT NULL);
CREATE TABLE IF NOT EXISTS days (day {int} PRIMARY KEY);
CREATE TABLE IF NOT EXISTS certificates (
    id {serial},
    fingerprint {blob} NOT NULL UNIQUE,
    encoding {blob} NOT NULL,
    first_seen {int} NOT NULL
);
CREATE TABLE IF NOT EXISTS crls (
    digest {blob} PRIMARY KEY,
    encoding {blob} NOT NULL,
    first_seen {int} NOT NULL
);
CREATE TABLE IF NOT EXISTS lives (
    meter {int} NOT NULL,
    epoch {int} NOT NULL,
    highest {int} NOT NULL,
    floor {int} NOT NULL,
    first_sampled {int} NOT NULL,
    last_sampled {int} NOT NULL,
    PRIMARY KEY (meter, epoch)
) {clustered};
CREATE TABLE IF NOT EXISTS ledger (
    meter {int} NOT NULL,
    epoch {int} NOT NULL,
    sequence {int} NOT NULL,
    digest {blob} NOT NULL,
    PRIMARY KEY (meter, epoch, sequence)
) {clustered};
CREATE TABLE IF NOT EXISTS waiting (
    id {serial},
    readings {int} NOT NULL,
    codes {blob} NOT NULL,
    data {blob} NOT NULL
);
CREATE TABLE IF NOT EXISTS missing (
    meter {int} NOT NULL,
    epoch {int} NOT NULL,
    first {int} NOT NULL,
    last {int} NOT NULL,
    origin {int} NOT NULL,
    PRIMARY KEY (meter, epoch, first)
) {clustered};
CREATE TABLE IF NOT EXISTS meters (
    meter {int} PRIMARY KEY,
    collector TEXT NOT NULL,
    last_seen {int} NOT NULL,
    tried_at {int} NOT NULL,
    quality {int} NOT NULL,
    latest_at {int} NOT NULL,
    latest {blob},
    snapshot_at {int} NOT NULL,
    snapshot {blob}
);
CREATE TABLE IF NOT EXISTS alarms (
    id {serial},
    name TEXT NOT NULL UNIQUE,
    origin TEXT NOT NULL,
    kind TEXT NOT NULL,
    meter {int},
    collector TEXT,
    phase {int} NOT NULL,
    began_at {int} NOT NULL,
    ended_at {int},
    detail TEXT NOT NULL,
    acknowledged_by TEXT,
    acknowledged_at {int}
);
CREATE INDEX IF NOT EXISTS alarms_by_time ON alarms (began_at);
CREATE TABLE IF NOT EXISTS refused (
    id {serial},
    collector TEXT NOT NULL,
    digest {blob} NOT NULL,
    verdict {int} NOT NULL,
    detail TEXT NOT NULL,
    meter {int},
    epoch {int},
    sequence {int},
    sampled_at {int},
    signer {blob},
    size {int} NOT NULL,
    first_at {int} NOT NULL,
    last_at {int} NOT NULL,
    times {int} NOT NULL,
    sealed {blob},
    UNIQUE (digest, collector, verdict)
);
CREATE INDEX IF NOT EXISTS refused_by_time ON refused (last_at);
CREATE TABLE IF NOT EXISTS refusals (
    day {int} NOT NULL,
    collector TEXT NOT NULL,
    verdict {int} NOT NULL,
    count {int} NOT NULL,
    PRIMARY KEY (day, collector, verdict)
);
CREATE TABLE IF NOT EXISTS collectors (
    name TEXT PRIMARY KEY,
    last_seen {int} NOT NULL,
    messages {int} NOT NULL,
    stored {int} NOT NULL,
    refused {int} NOT NULL,
    status TEXT NOT NULL,
    status_at {int} NOT NULL
);
CREATE TABLE IF NOT EXISTS sessions (
    name TEXT PRIMARY KEY,
    gateway TEXT NOT NULL,
    address TEXT NOT NULL,
    subject TEXT NOT NULL,
    issuer TEXT NOT NULL,
    serial_number TEXT NOT NULL,
    not_before {int} NOT NULL,
    not_after {int} NOT NULL,
    protocol TEXT NOT NULL,
    suite TEXT NOT NULL,
    key_share TEXT NOT NULL,
    since {int} NOT NULL,
    last_seen {int} NOT NULL,
    messages {int} NOT NULL,
    received {int} NOT NULL,
    sent {int} NOT NULL
);
CREATE TABLE IF NOT EXISTS turned_away (
    gateway TEXT NOT NULL,
    at {int} NOT NULL,
    address TEXT NOT NULL,
    name TEXT,
    kind TEXT NOT NULL,
    reason TEXT NOT NULL,
    PRIMARY KEY (gateway, at, address, kind)
) {clustered};
CREATE TABLE IF NOT EXISTS activity (
    start {int} PRIMARY KEY,
    stored {int} NOT NULL,
    refused {int} NOT NULL
);
""" + "".join(_AGGREGATE.format(name=name) for name in ("minutes", "quarters", "daily"))
