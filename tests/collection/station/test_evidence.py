"""Evidence: it holds with root certificates alone, and with nothing else changed."""

from __future__ import annotations

import json
import zipfile
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from meterseal.collection.receipts import Entry, Receipt, Verdict
from meterseal.collection.station.directory import moment
from meterseal.collection.station.evidence import (
    Bundle,
    Claim,
    check_bundle,
    export,
    read_bundle,
    verify_stored,
    write_bundle,
)
from meterseal.collection.station.ingest import ReceiptWriter
from meterseal.errors import MalformedData
from meterseal.x509 import RevocationReason, RevokedCertificate, TrustStore, issue_crl
from support.station import (
    DAY,
    NOW,
    OTHER,
    PLAIN,
    SEALING,
    checks,
    event,
    reading,
    world,
)

if TYPE_CHECKING:
    from pathlib import Path

    from meterseal.collection.station.store import Store
    from meterseal.x509 import CertificateRevocationList
    from support.station import Party


@pytest.fixture
def filled(store: Store) -> Store:
    """Five statements in which the fourth sequence is missing, of two kinds of signers."""
    own = checks(reading(1), reading(2), event(3), reading(5), reading(6))
    store.commit([*own, *checks(reading(1, meter=SEALING), by=world().meter)], [], NOW)
    return store


def written(store: Store, folder: Path) -> Path:
    w = world()
    path = folder / "bundle.zip"
    export(
        store, PLAIN, start=0, end=NOW, path=path, station="station-1", key=w.station.key,
        certificate=w.station.certificate, chain=[w.ca.certificate], now=NOW + DAY,
    )  # fmt: skip
    return path


def rewritten(path: Path, changes: dict[str, bytes | None]) -> Path:
    """The same bundle with files replaced, or left out for None."""
    other = path.with_name("changed.zip")
    with zipfile.ZipFile(path) as before, zipfile.ZipFile(other, "w") as after:
        for name in [*before.namelist(), *(set(changes) - set(before.namelist()))]:
            content = changes.get(name, before.read(name) if name in before.namelist() else None)
            if content is not None:
                after.writestr(name, content)
    return other


def problems(bundle: Bundle) -> list[str]:
    report = check_bundle(bundle, world().trust)
    assert not report.holds
    return [finding.problem for finding in report.findings]


def test_stored_statements_are_verified_from_what_was_kept(filled: Store) -> None:
    report = verify_stored(filled, PLAIN, 0, NOW, world().trust)
    assert report.holds
    assert (report.statements, report.valid) == (5, 5)
    assert report.missing == [(reading(1).epoch, 4, 4)]
    assert list(report.signers) == [str(world().collector.certificate.subject)]
    itself = verify_stored(filled, SEALING, 0, NOW, world().trust)
    assert list(itself.signers) == [str(world().meter.certificate.subject)]


def test_nothing_is_no_evidence(filled: Store) -> None:
    assert not verify_stored(filled, OTHER, 0, NOW, world().trust).holds


def test_every_flipped_bit_in_the_store_is_found(filled: Store) -> None:
    (day,) = filled.days()
    ((sealed, rowid),) = filled.database.read(
        f"SELECT sealed, sequence FROM statements_{day} WHERE meter = {int(SEALING)}"
    )
    for bit in range(0, 8 * len(sealed), 37):
        changed = bytearray(sealed)
        changed[bit // 8] ^= 1 << bit % 8
        with filled.database.transaction() as session:
            session.run(
                f"UPDATE statements_{day} SET sealed = ? WHERE meter = ? AND sequence = ?",
                (bytes(changed), int(SEALING), rowid),
            )
        assert not verify_stored(filled, SEALING, 0, NOW, world().trust).holds, bit


def test_a_changed_row_beside_the_signed_bytes_is_found(filled: Store) -> None:
    (day,) = filled.days()
    with filled.database.transaction() as session:
        session.run(f"UPDATE statements_{day} SET sampled_at = sampled_at + 1 WHERE sequence = 6")
    (finding,) = verify_stored(filled, PLAIN, 0, NOW, world().trust).findings
    assert "not what was signed" in finding.problem


def test_a_bundle_holds_with_the_root_alone(filled: Store, tmp_path: Path) -> None:
    bundle = read_bundle(written(filled, tmp_path))
    report = check_bundle(bundle, world().trust)
    assert report.findings == []
    assert report.holds
    assert (report.statements, report.valid, report.receipted) == (5, 5, 5)
    assert report.stations == {str(world().station.certificate.subject)}
    assert [claim.sealed for claim in bundle.claims] == [
        row.sealed for row in filled.statements(PLAIN, 0, NOW)
    ]


def test_a_bundle_does_not_vouch_for_itself(filled: Store, tmp_path: Path) -> None:
    bundle = read_bundle(written(filled, tmp_path))
    nobody = check_bundle(bundle, TrustStore([world().stranger.certificate]))
    assert not nobody.holds
    assert nobody.valid == nobody.receipted == 0


def test_a_statement_cannot_be_exchanged_in_a_bundle(filled: Store, tmp_path: Path) -> None:
    path = written(filled, tmp_path)
    other = world().collector.sealer.seal(reading(2, values={}))
    with pytest.raises(MalformedData, match="not the file that the manifest names"):
        read_bundle(rewritten(path, {"statements/0000002.cose": other}))
    with pytest.raises(MalformedData, match=r"0000002\.cose is missing"):
        read_bundle(rewritten(path, {"statements/0000002.cose": None}))


def test_a_manifest_cannot_be_changed(filled: Store, tmp_path: Path) -> None:
    path = written(filled, tmp_path)
    with zipfile.ZipFile(path) as archive:
        manifest = archive.read("manifest.cose")
    moved = manifest.replace(b'"received_at": 1', b'"received_at": 2', 1)
    assert moved != manifest
    assert "the signature does not verify" in problems(
        read_bundle(rewritten(path, {"manifest.cose": moved}))
    )


def test_names_each_thing_that_is_wrong(filled: Store, tmp_path: Path) -> None:
    w = world()
    bundle = read_bundle(written(filled, tmp_path))
    claim = bundle.claims[0]
    broken = claim.sealed[:-1] + bytes([claim.sealed[-1] ^ 1])
    early = replace(claim, received_at=NOW - 600 * DAY)
    garbage = Claim(b"garbage", NOW, "collector-1")
    twice = [*bundle.claims, claim]

    def changed(**changes: object) -> list[str]:
        return problems(replace(bundle, **changes))  # type: ignore[arg-type]

    assert changed(claims=[replace(claim, sealed=broken)]) == ["the signature does not verify"]
    assert "it is valid from" in changed(claims=[early])[0]
    assert any("tag 18" in each for each in changed(claims=[garbage]))
    assert changed(claims=twice) == ["sequence 1 is there twice"]
    assert changed(start=claim.received_at)[0] == "it is outside of the period"
    assert changed(meter=OTHER)[0] == f"it is of meter {PLAIN}"
    assert changed(station="station-2")[0].startswith("it is signed by")
    assert changed(manifest=None) == ["it is not there"]
    assert len(changed(certificates=[w.root.certificate])) == 7
    revoked = changed(crls=[w.crl(w.collector)])
    assert len(revoked) == 5
    assert all("revoked" in each for each in revoked)


def listed(
    party: Party,
    issued: int,
    *,
    since: int | None = None,
    reason: RevocationReason = RevocationReason.KEY_COMPROMISE,
) -> CertificateRevocationList:
    """A list of that moment which revokes the party; with `since`, as invalid from then on."""
    at, ca = moment(issued), world().ca
    line = RevokedCertificate.of(
        party.certificate.serial_number, at, reason, None if since is None else moment(since)
    )
    return issue_crl(
        [line], ca_certificate=ca.certificate, ca_key=ca.key, this_update=at, days=30, number=9
    )


def test_what_came_before_its_signer_was_revoked_holds_and_is_told(
    filled: Store, tmp_path: Path
) -> None:
    w = world()
    bundle = read_bundle(written(filled, tmp_path))
    report = check_bundle(replace(bundle, crls=[listed(w.collector, NOW + DAY)]), w.trust)
    assert report.holds
    assert report.valid == 5
    ((told, count),) = report.revoked_later.items()
    assert f"{w.collector.certificate.subject} was revoked on" in told
    assert "key compromise" in told
    assert count == 5


def test_what_came_when_the_key_was_in_other_hands_does_not_hold(
    filled: Store, tmp_path: Path
) -> None:
    """Lists of the time knew nothing of it; the later one says since when."""
    w = world()
    bundle = read_bundle(written(filled, tmp_path))
    then = w.crl()
    late = listed(w.collector, NOW + DAY, since=NOW - DAY)
    found = problems(replace(bundle, crls=[then, late]))
    assert len(found) == 5
    assert all("invalid since" in each for each in found)
    assert check_bundle(replace(bundle, crls=[then]), w.trust).holds


def test_a_station_whose_key_was_stolen_proves_no_time(filled: Store, tmp_path: Path) -> None:
    """The thief would date the manifest and receipts back."""
    w = world()
    bundle = read_bundle(written(filled, tmp_path))
    found = problems(replace(bundle, crls=[listed(w.station, NOW + 9 * DAY)]))
    assert len(found) == 2
    assert all("station-1 was revoked on" in each for each in found)
    moved = listed(w.station, NOW + 9 * DAY, reason=RevocationReason.CESSATION_OF_OPERATION)
    assert check_bundle(replace(bundle, crls=[moved]), w.trust).holds


def test_a_list_that_its_ca_did_not_sign_says_nothing(filled: Store, tmp_path: Path) -> None:
    w = world()
    bundle = read_bundle(written(filled, tmp_path))
    true = listed(w.collector, NOW + 9 * DAY, since=NOW - DAY)
    forged = replace(true, signature=true.signature[:-1] + bytes([true.signature[-1] ^ 1]))
    report = check_bundle(replace(bundle, crls=[forged]), w.trust)
    assert report.holds
    assert not report.revoked_later


def test_the_receipt_that_a_collector_kept_proves_what_the_station_took(
    filled: Store, tmp_path: Path
) -> None:
    batch = checks(reading(7), reading(8))
    committed = filled.commit(batch, [], NOW)
    writer = ReceiptWriter(world().receipts(), "station-1")
    kept = [receipt for _, receipt in writer.write(committed)]
    bundle = replace(read_bundle(written(filled, tmp_path)), receipts=kept)
    report = check_bundle(bundle, world().trust)
    assert report.holds
    assert (report.statements, report.receipted) == (7, 2)


def test_receipts_of_others_prove_nothing(filled: Store, tmp_path: Path) -> None:
    w = world()
    bundle = read_bundle(written(filled, tmp_path))
    entries = (Entry(PLAIN, 1, 1, b"\0" * 32, Verdict.STORED),)
    receipt = Receipt(station="station-2", collector="collector-1", issued_at=NOW, entries=entries)
    foreign = w.receipts().sign(receipt)
    honest = w.receipts().sign(replace(receipt, station="station-1"))
    broken = honest[:-1] + bytes([honest[-1] ^ 1])
    found = problems(replace(bundle, receipts=[foreign, broken, b"", honest]))
    assert len(found) == 3
    assert found[0].startswith("it is signed by")
    assert found[1] == "the signature does not verify"


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2},
        {"statements": 5},
        {"statements": [{"file": "README.txt", "sm3": "00"}]},
        {"meter": 7},
        {"start": "0"},
        {"station": None},
    ],
)
def test_refuses_a_manifest_of_another_form(
    filled: Store, tmp_path: Path, change: dict[str, object]
) -> None:
    path = written(filled, tmp_path)
    with zipfile.ZipFile(path) as archive:
        manifest = json.loads(archive.read("manifest.json")) | change
    from meterseal.collection.envelope import EnvelopeSigner
    from meterseal.collection.station.evidence.bundle import CONTEXT

    w = world()
    signer = EnvelopeSigner(w.station.key, w.station.certificate, CONTEXT)
    changed = {"manifest.cose": signer.sign(json.dumps(manifest).encode())}
    with pytest.raises(MalformedData):
        read_bundle(rewritten(path, changed))


def test_refuses_what_is_no_bundle(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    for content in (b"", b"PK\x03\x04" + b"\0" * 50):
        path.write_bytes(content)
        with pytest.raises(MalformedData):
            read_bundle(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("other", "x")
    with pytest.raises(MalformedData, match=r"manifest\.cose is missing"):
        read_bundle(path)


def test_a_bundle_is_not_written_over_another(filled: Store, tmp_path: Path) -> None:
    path = written(filled, tmp_path)
    bundle = read_bundle(path)
    with pytest.raises(FileExistsError):
        write_bundle(path, bundle, world().station.key, world().station.certificate)
