"""Key files: every form is read, ours come back, and peers read ours."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import get_args

import pytest

from meterseal.asn1 import der
from meterseal.asn1 import oid as oids
from meterseal.errors import DecryptionFailed, InvalidKey, MalformedData, UsageError
from meterseal.x509 import (
    Encryption,
    PrivateKeyFormat,
    dump_private_key,
    dump_public_key,
    load_private_key,
    load_public_key,
    pbes2,
    pem,
)
from meterseal.x509.keys import describe_key
from meterseal.x509.spki import SM2_KEY, AlgorithmIdentifier
from support import pki

VECTORS = json.loads(
    (Path(__file__).parent.parent / "vectors/x509/gmssl2.json").read_text(encoding="utf-8")
)
KEY = pki.key("some key")
SCALAR = KEY.to_bytes()
POINT = KEY.public_key().to_bytes()
OTHER_POINT = pki.key("other").public_key().to_bytes()
P256 = der.object_identifier(oids.P256_CURVE)
SM2 = der.object_identifier(oids.SM2_CURVE)
QUICK = Encryption(iterations=3)
HMAC_SM3 = AlgorithmIdentifier(oids.HMAC_SM3, der.null())


def sec1(
    scalar: bytes = SCALAR,
    *,
    version: int = 1,
    parameters: bytes = b"",
    point: bytes | None = None,
) -> bytes:
    return der.sequence(
        der.integer(version),
        der.octet_string(scalar),
        der.explicit(0, parameters) if parameters else b"",
        der.explicit(1, der.bit_string(point)) if point else b"",
    )


def pkcs8(inner: bytes, *, version: int = 0, algorithm: bytes = b"", tail: bytes = b"") -> bytes:
    return der.sequence(
        der.integer(version), algorithm or SM2_KEY.encode(), der.octet_string(inner), tail
    )


@pytest.mark.parametrize("form", PrivateKeyFormat)
def test_every_form_comes_back(form: PrivateKeyFormat) -> None:
    data = dump_private_key(KEY, form)
    assert load_private_key(data).to_bytes() == SCALAR
    assert describe_key(data).private
    assert load_private_key(bytearray(data)).to_bytes() == SCALAR
    assert load_private_key(memoryview(data)).to_bytes() == SCALAR


@pytest.mark.parametrize("form", ["pkcs8", "pkcs8-der"])
@pytest.mark.parametrize("cipher", get_args(pbes2.Cipher))
@pytest.mark.parametrize("prf", get_args(pbes2.Prf))
def test_every_encryption_comes_back(form: str, cipher: pbes2.Cipher, prf: pbes2.Prf) -> None:
    encryption = Encryption(cipher, prf, 3)
    data = dump_private_key(KEY, form, password="meter", encryption=encryption)
    assert load_private_key(data, b"meter").to_bytes() == SCALAR
    assert cipher in (describe_key(data).encryption or "")
    for wrong in ("Meter", "meter "):
        with pytest.raises((DecryptionFailed, InvalidKey)):
            load_private_key(data, wrong)
    with pytest.raises(UsageError, match="password is needed"):
        load_private_key(data)


@pytest.mark.parametrize("form", VECTORS["private_keys"])
def test_reads_the_private_keys_of_gmssl_2(form: str) -> None:
    key = load_private_key(VECTORS["private_keys"][form].encode(), VECTORS["password"])
    assert der.octet_string(key.to_bytes()).hex() in VECTORS["sec1_without_public_key"]
    assert key.public_key() == load_public_key(VECTORS["public_keys"]["uncompressed"].encode())


def test_reads_the_public_keys_of_gmssl_2() -> None:
    plain, compressed = (load_public_key(text.encode()) for text in VECTORS["public_keys"].values())
    assert plain == compressed


def test_writes_sec1_as_the_paper_has_it() -> None:
    """Figure 5: the block EC PARAMETERS, then EC PRIVATE KEY of 121 bytes."""
    blocks = pem.decode(dump_private_key(KEY, "sec1"))
    assert [block.label for block in blocks] == ["EC PARAMETERS", "EC PRIVATE KEY"]
    assert blocks[0].contents.hex() == "06082a811ccf5501822d"
    assert len(blocks[1].contents) == 121


def test_writes_the_encryption_that_gmssl_3_reads() -> None:
    """16 bytes of salt, 65536 iterations, a key length, HMAC-SM3 without parameters, SM4-CBC."""
    data = dump_private_key(KEY, "pkcs8-der", password="meter")
    assert describe_key(data).encryption == "sm4-cbc, PBKDF2 with hmac-sm3, 65536 iterations"
    body = der.Reader(data).sequence("key")
    parameters = der.Reader(AlgorithmIdentifier.read(body).parameters or b"").sequence("PBES2")
    derivation = der.Reader(AlgorithmIdentifier.read(parameters).parameters or b"")
    inner = derivation.sequence("PBKDF2")
    assert len(inner.octet_string()) == 16
    assert (inner.integer(), inner.integer()) == (65536, 16)
    assert AlgorithmIdentifier.read(inner) == AlgorithmIdentifier(oids.HMAC_SM3)
    assert len(body.octet_string()) == 144


def test_salt_and_iv_are_fresh() -> None:
    first, second = (dump_private_key(KEY, password="meter", encryption=QUICK) for _ in range(2))
    assert first != second


@pytest.mark.parametrize(
    "data",
    [
        sec1(),
        sec1(parameters=SM2),
        sec1(point=POINT),
        sec1(parameters=SM2, point=KEY.public_key().to_bytes(compressed=True)),
        pkcs8(sec1()),
        pkcs8(sec1(parameters=SM2, point=POINT)),
        pkcs8(sec1(), version=1, tail=der.implicit(1, b"\0" + POINT)),
        pkcs8(sec1(), tail=der.explicit(0)),
        pkcs8(sec1(), algorithm=AlgorithmIdentifier(oids.SM2_CURVE, SM2).encode()),
        pkcs8(sec1(), algorithm=AlgorithmIdentifier(oids.SM2_CURVE).encode()),
        SCALAR.hex().encode(),
        b"0x" + SCALAR.hex().upper().encode() + b"\r\n",
        b"Key of the meter\n" + dump_private_key(KEY) + b"\nEnd\n",
        pem.encode("SM2 PRIVATE KEY", sec1(parameters=SM2)).encode(),
        dump_private_key(KEY, "sec1").replace(b"\n", b"\r\n"),
    ],
)
def test_reads_forms_of_other_writers(data: bytes) -> None:
    assert load_private_key(data).to_bytes() == SCALAR


def test_pads_a_scalar_that_an_old_writer_cut() -> None:
    key = load_private_key(sec1(b"\x05"))
    assert key.to_bytes() == bytes(31) + b"\x05"


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"", MalformedData),
        (b"not a key", MalformedData),
        (bytes(1 << 17), MalformedData),
        (sec1(version=2), MalformedData),
        (sec1() + b"\0", MalformedData),
        (sec1(bytes(32)), InvalidKey),
        (sec1(b"\xff" * 32), InvalidKey),
        (sec1(bytes(33)), InvalidKey),
        (sec1(b""), InvalidKey),
        (sec1(parameters=P256), InvalidKey),
        (sec1(parameters=der.sequence(der.integer(1))), InvalidKey),
        (sec1(point=OTHER_POINT), InvalidKey),
        (sec1(point=POINT[:-1]), InvalidKey),
        (pkcs8(sec1(), version=2), MalformedData),
        (pkcs8(sec1(), version=1, tail=der.implicit(1, b"\0" + OTHER_POINT)), InvalidKey),
        (
            pkcs8(sec1(), algorithm=AlgorithmIdentifier(oids.EC_PUBLIC_KEY, P256).encode()),
            InvalidKey,
        ),
        (
            pkcs8(sec1(), algorithm=AlgorithmIdentifier(oids.RSA_ENCRYPTION, der.null()).encode()),
            InvalidKey,
        ),
        (SCALAR.hex().encode()[:-1], MalformedData),
        (dump_private_key(KEY) * 2, MalformedData),
        (dump_public_key(KEY.public_key()), MalformedData),
        (dump_public_key(KEY.public_key(), "der"), InvalidKey),
        (pem.encode("EC PARAMETERS", P256).encode() + dump_private_key(KEY), InvalidKey),
    ],
)
def test_refuses_what_is_no_private_key(data: bytes, error: type[Exception]) -> None:
    with pytest.raises(error) as caught:
        load_private_key(data)
    assert caught.type is error


@pytest.mark.parametrize("form", ["pem", "der", "hex"])
def test_public_keys_come_back(form: str) -> None:
    data = dump_public_key(KEY.public_key(), form)
    assert load_public_key(data).to_bytes() == POINT
    assert not describe_key(data).private


@pytest.mark.parametrize(
    "data",
    [
        POINT.hex().encode(),
        POINT[1:].hex().encode(),
        KEY.public_key().to_bytes(compressed=True).hex().encode(),
        der.sequence(AlgorithmIdentifier(oids.SM2_CURVE, SM2).encode(), der.bit_string(POINT)),
    ],
)
def test_reads_public_keys_of_other_writers(data: bytes) -> None:
    assert load_public_key(data).to_bytes() == POINT


def test_keeps_a_point_whose_coordinate_begins_like_a_prefix() -> None:
    """The PyPI package gmssl strips the characters 0 and 4 off such keys."""
    for number in range(1, 4000):
        point = pki.key(f"n{number}").public_key().to_bytes()
        if point[1] in {0x00, 0x04}:
            break
    assert load_public_key(point.hex().encode()).to_bytes() == point
    assert load_public_key(point[1:].hex().encode()).to_bytes() == point


@pytest.mark.parametrize(
    "data",
    [
        b"",
        bytes(64).hex().encode(),
        (b"\x04" + bytes(64)).hex().encode(),
        POINT[:-1].hex().encode(),
        dump_private_key(KEY),
        der.sequence(SM2_KEY.encode(), der.bit_string(POINT, 1)),
        der.sequence(SM2_KEY.encode(), der.bit_string(POINT), der.null()),
        der.sequence(AlgorithmIdentifier(oids.EC_PUBLIC_KEY).encode(), der.bit_string(POINT)),
        der.sequence(AlgorithmIdentifier(oids.EC_PUBLIC_KEY, P256).encode(), der.bit_string(POINT)),
    ],
)
def test_refuses_what_is_no_public_key(data: bytes) -> None:
    with pytest.raises((MalformedData, InvalidKey)):
        load_public_key(data)


def test_refuses_arguments_that_do_not_fit() -> None:
    for wrong in (
        lambda: dump_private_key(KEY, "pem"),
        lambda: dump_public_key(KEY.public_key(), "pkcs8"),
        lambda: dump_private_key(KEY, "sec1", password="x"),
        lambda: dump_private_key(KEY, password=""),
        lambda: dump_private_key(KEY, password="x" * 1025),
        lambda: dump_private_key(KEY, encryption=QUICK),
        lambda: Encryption(iterations=0),
        lambda: Encryption(iterations=pbes2.MAX_ITERATIONS + 1),
        lambda: Encryption(cipher="des-cbc"),  # type: ignore[arg-type]
        lambda: Encryption(prf="hmac-md5"),  # type: ignore[arg-type]
    ):
        with pytest.raises(UsageError):
            wrong()


def encrypted(
    *,
    scheme: str = oids.PBES2,
    derivation: str = oids.PBKDF2,
    salt: bytes = b"salt",
    iterations: int = 2,
    length: int | None = 16,
    prf: AlgorithmIdentifier | None = HMAC_SM3,
    cipher: str = oids.SM4_CBC,
    iv: bytes = bytes(16),
    ciphertext: bytes = bytes(16),
) -> bytes:
    inner = der.sequence(
        der.octet_string(salt),
        der.integer(iterations),
        b"" if length is None else der.integer(length),
        b"" if prf is None else prf.encode(),
    )
    parameters = der.sequence(
        AlgorithmIdentifier(derivation, inner).encode(),
        AlgorithmIdentifier(cipher, der.octet_string(iv)).encode(),
    )
    return der.sequence(
        AlgorithmIdentifier(scheme, parameters).encode(), der.octet_string(ciphertext)
    )


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({}, DecryptionFailed),
        ({"prf": None, "length": None}, DecryptionFailed),
        ({"scheme": "1.2.840.113549.1.5.3"}, DecryptionFailed),
        ({"derivation": "1.3.6.1.4.1.11591.4.11"}, DecryptionFailed),
        ({"cipher": "1.3.14.3.2.7"}, DecryptionFailed),
        ({"prf": AlgorithmIdentifier("1.2.3.4")}, DecryptionFailed),
        ({"prf": AlgorithmIdentifier(oids.HMAC_SM3, der.integer(1))}, MalformedData),
        ({"iterations": 0}, MalformedData),
        ({"iterations": pbes2.MAX_ITERATIONS + 1}, MalformedData),
        ({"iterations": 1 << 300}, MalformedData),
        ({"length": 32}, MalformedData),
        ({"salt": bytes(1025)}, MalformedData),
        ({"iv": bytes(12)}, MalformedData),
        ({"ciphertext": b""}, MalformedData),
        ({"ciphertext": bytes(15)}, MalformedData),
    ],
)
def test_refuses_encrypted_keys_that_are_malformed_or_unknown(
    changes: dict[str, object], error: type[Exception]
) -> None:
    with pytest.raises(error) as caught:
        load_private_key(encrypted(**changes), "meter")
    assert caught.type is error


def test_names_the_package_that_aes_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.ciphers", None)
    with pytest.raises(UsageError, match=r"meterseal\[cryptography\]"):
        dump_private_key(KEY, password="x", encryption=Encryption("aes-128-cbc", iterations=1))


def test_changing_any_byte_raises_nothing_unexpected() -> None:
    for data in (
        dump_private_key(KEY, "pkcs8-der"),
        dump_private_key(KEY, "sec1-der"),
        dump_private_key(KEY, "sec1"),
        dump_private_key(KEY, "pkcs8-der", password="m", encryption=QUICK),
    ):
        for position in range(len(data)):
            for change in (0x01, 0x80):
                changed = bytearray(data)
                changed[position] ^= change
                try:
                    load_private_key(changed, "m")
                except (MalformedData, InvalidKey, DecryptionFailed):
                    continue
