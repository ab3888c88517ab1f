"""SM2 keys and X.509 certificates as values: no file, clock or socket here."""

from meterseal.x509.certificate import Certificate, dump_certificates, load_certificates
from meterseal.x509.crl import (
    CertificateRevocationList,
    RevocationReason,
    RevokedCertificate,
    dump_crls,
    issue_crl,
    load_crls,
)
from meterseal.x509.extensions import BasicConstraints, Extension, KeyUsage, SubjectAltName
from meterseal.x509.general_name import GeneralName, GeneralNameKind
from meterseal.x509.issue import Profile, build_certificate, issue_certificate, self_signed
from meterseal.x509.keys import (
    PrivateKeyFormat,
    dump_private_key,
    dump_public_key,
    load_private_key,
    load_public_key,
)
from meterseal.x509.name import Name
from meterseal.x509.pair import (
    CertificatePair,
    OwnCertificates,
    issue_pair,
    sort_own,
    sort_pair,
)
from meterseal.x509.pbes2 import Encryption
from meterseal.x509.request import CertificateRequest, create_request, load_request
from meterseal.x509.revocation import RevocationPolicy
from meterseal.x509.store import TrustStore
from meterseal.x509.strictness import Strictness
from meterseal.x509.verify import KeyRole, Limits, Purpose, VerifiedChain, verify_chain

__all__ = [
    "BasicConstraints",
    "Certificate",
    "CertificatePair",
    "CertificateRequest",
    "CertificateRevocationList",
    "Encryption",
    "Extension",
    "GeneralName",
    "GeneralNameKind",
    "KeyRole",
    "KeyUsage",
    "Limits",
    "Name",
    "OwnCertificates",
    "PrivateKeyFormat",
    "Profile",
    "Purpose",
    "RevocationPolicy",
    "RevocationReason",
    "RevokedCertificate",
    "Strictness",
    "SubjectAltName",
    "TrustStore",
    "VerifiedChain",
    "build_certificate",
    "create_request",
    "dump_certificates",
    "dump_crls",
    "dump_private_key",
    "dump_public_key",
    "issue_certificate",
    "issue_crl",
    "issue_pair",
    "load_certificates",
    "load_crls",
    "load_private_key",
    "load_public_key",
    "load_request",
    "self_signed",
    "sort_own",
    "sort_pair",
    "verify_chain",
]
