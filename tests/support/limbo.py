"""Cases of C2SP's x509-limbo against our path validation."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from meterseal.asn1 import der
from meterseal.asn1 import oid as oids
from meterseal.crypto import sm2
from meterseal.errors import MeterSealError
from meterseal.x509 import (
    KeyRole,
    Limits,
    Purpose,
    Strictness,
    TrustStore,
    load_certificates,
    load_crls,
    verify_chain,
)
from meterseal.x509 import pem as pem_form

if TYPE_CHECKING:
    from pathlib import Path

    from meterseal.x509 import Certificate
    from meterseal.x509.signature import SignatureScheme

_PURPOSES = {"SERVER": Purpose.SERVER, "CLIENT": Purpose.CLIENT}


@dataclass(frozen=True)
class Case:
    """One case, as it stands in limbo.json."""

    name: str
    content: dict[str, Any]

    @property
    def should_pass(self) -> bool:
        return bool(self.content["expected_result"] == "SUCCESS")

    def refusal(self, scheme: SignatureScheme) -> MeterSealError | None:
        """Why we refuse what the case presents, or `None` if we accept it."""
        try:
            self._verify(scheme)
        except MeterSealError as error:
            return error
        return None

    def _verify(self, scheme: SignatureScheme) -> None:
        content = self.content
        presented = [content["peer_certificate"], *content["untrusted_intermediates"]]
        name = content["expected_peer_name"]
        depth = content["max_chain_depth"]
        at = content["validation_time"]
        verify_chain(
            [_certificate(pem) for pem in presented],
            TrustStore([_certificate(pem) for pem in content["trusted_certs"]]),
            at=datetime.fromisoformat(at) if at else datetime.now().astimezone(),
            purpose=_PURPOSES[content["validation_kind"]],
            server_name=name["value"] if name else None,
            role=KeyRole.SIGNING,
            crls=[crl for pem in content["crls"] for crl in load_crls(pem.encode())],
            limits=Limits() if depth is None else Limits(path_length=depth + 1),
            scheme=scheme,
            strictness=Strictness.STRICT,
        )


def _certificate(pem: str) -> Certificate:
    (certificate,) = load_certificates(pem.encode())
    return certificate


def load_cases(path: Path) -> list[Case]:
    """Every case of a limbo.json."""
    return [Case(case["id"], case) for case in json.loads(path.read_text())["testcases"]]


# --- the same cases with SM2 -------------------------------------------------------------
# Both curves, and both signatures, have identifiers of one length and points of one length: a
# certificate stays what it is byte for byte, but for its key and its signature.

_OIDS = (
    (der.object_identifier("1.2.840.10045.3.1.7"), der.object_identifier(oids.SM2_CURVE)),
    (der.object_identifier("1.2.840.10045.4.3.2"), der.object_identifier(oids.SM2_WITH_SM3)),
)


def rekey(case: Case, scheme: SignatureScheme) -> Case | None:
    """The case with SM2 keys and signatures; `None` if it holds keys of other kinds or lists.

    `scheme` is that of the case as it is. A certificate that no key of the case signed is signed by
    a stranger.
    """
    content = case.content
    chain = [content["peer_certificate"], *content["untrusted_intermediates"]]
    try:
        originals = [_certificate(pem) for pem in (*chain, *content["trusted_certs"])]
        for certificate in originals:
            scheme.require_key(certificate.spki)
    except MeterSealError:
        return None
    if content["crls"]:
        return None
    keys = {original.spki.key: sm2.PrivateKey.generate() for original in originals}
    made = [_resign(original, originals, keys, scheme) for original in originals]
    peer, *others = made
    count = len(chain) - 1
    changed = {
        "peer_certificate": peer,
        "untrusted_intermediates": others[:count],
        "trusted_certs": others[count:],
    }
    return Case(case.name, {**content, **changed})


def _resign(
    original: Certificate,
    all_of_them: list[Certificate],
    keys: dict[bytes, sm2.PrivateKey],
    scheme: SignatureScheme,
) -> str:
    issuer = next((at for at in all_of_them if _has_signed(at, original, scheme)), None)
    key = keys[issuer.spki.key] if issuer else sm2.PrivateKey.generate()
    point, algorithm = original.spki.key, original.signature_algorithm.encode()
    tbs = original.tbs.replace(point, keys[point].public_key().to_bytes())
    for theirs, ours in _OIDS:
        tbs, algorithm = tbs.replace(theirs, ours), algorithm.replace(theirs, ours)
    return pem_form.encode(
        "CERTIFICATE", der.sequence(tbs, algorithm, der.bit_string(key.sign(tbs)))
    )


def _has_signed(issuer: Certificate, child: Certificate, scheme: SignatureScheme) -> bool:
    try:
        scheme.verify(issuer.spki, child.signature, child.tbs)
    except MeterSealError:
        return False
    return True
