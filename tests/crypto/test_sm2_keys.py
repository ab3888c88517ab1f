"""Keys as objects, and what the calls accept and refuse."""

import copy
import pickle

import pytest

from meterseal.crypto import sm2
from meterseal.errors import InvalidKey, InvalidSignature, UsageError
from support import sm2_reference as ref

pytestmark = pytest.mark.usefixtures("backend")
KEY = sm2.PrivateKey.from_bytes(bytes(31) + b"\7")


@pytest.mark.parametrize("number", [1, 2, ref.N - 2])
def test_accepts_the_ends_of_the_range(number: int) -> None:
    key = sm2.PrivateKey.from_bytes(ref.octets(number))
    assert key.to_bytes() == ref.octets(number)
    point = ref.finite(ref.multiply(number, ref.G))
    assert key.public_key().to_bytes() == b"\4" + ref.octets(*point)


def test_a_point_has_two_encodings_and_one_identity() -> None:
    for _ in range(8):
        public = sm2.PrivateKey.generate().public_key()
        compressed = public.to_bytes(compressed=True)
        assert compressed[0] == 2 + public.to_bytes()[-1] % 2
        again = sm2.PublicKey.from_bytes(compressed)
        assert again == public
        assert hash(again) == hash(public)
        assert again.to_bytes() == public.to_bytes()


def test_keys_compare_by_value() -> None:
    again = sm2.PrivateKey.from_bytes(KEY.to_bytes())
    other = sm2.PrivateKey.generate()
    assert again == KEY
    assert other != KEY
    assert other.public_key() != KEY.public_key()
    assert (KEY.to_bytes() == KEY) is False
    assert (KEY.public_key() == KEY.public_key().to_bytes()) is False


def test_secrets_do_not_print_and_do_not_pickle() -> None:
    key = sm2.PrivateKey.generate()
    assert key.to_bytes().hex() not in repr(key) + str(key)
    assert key.public_key().to_bytes().hex() in repr(key)
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        with pytest.raises(TypeError, match="not pickled"):
            pickle.dumps(key, protocol)
    with pytest.raises(TypeError):
        hash(key)
    assert copy.copy(key) is key
    assert copy.deepcopy(key) is key


def test_public_keys_pickle_and_print_their_bytes() -> None:
    public = KEY.public_key()
    assert pickle.loads(pickle.dumps(public)) == public  # noqa: S301 - our own bytes
    assert public.to_bytes().hex() in repr(public)


def test_generated_keys_differ() -> None:
    assert len({sm2.PrivateKey.generate().to_bytes() for _ in range(64)}) == 64


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_takes_every_kind_of_bytes(kind: type) -> None:
    key = sm2.PrivateKey.from_bytes(kind(KEY.to_bytes()))
    public = sm2.PublicKey.from_bytes(kind(key.public_key().to_bytes()))
    signature = key.sign(kind(b"reading"), distinguishing_id=kind(b"meter"))
    public.verify(kind(signature), kind(b"reading"), distinguishing_id=kind(b"meter"))
    ciphertext = public.encrypt(kind(b"reading"))
    assert key.decrypt(kind(ciphertext)) == b"reading"


def test_refuses_text_and_numbers() -> None:
    with pytest.raises((TypeError, BufferError)):
        KEY.sign("reading")  # type: ignore[arg-type]
    with pytest.raises((TypeError, BufferError)):
        KEY.public_key().encrypt(5)  # type: ignore[arg-type]


def test_verifies_only_the_signed_message_identifier_and_key() -> None:
    signature = KEY.sign(b"reading", distinguishing_id=b"meter")
    public = KEY.public_key()
    public.verify(signature, b"reading", distinguishing_id=b"meter")
    other = sm2.PrivateKey.generate().public_key()
    for key, message, name in (
        (public, b"readinh", b"meter"),
        (public, b"reading", b"meteR"),
        (public, b"reading", sm2.DEFAULT_ID),
        (other, b"reading", b"meter"),
    ):
        with pytest.raises(InvalidSignature):
            key.verify(signature, message, distinguishing_id=name)


def test_encodings_are_not_mixed_up() -> None:
    der, raw = KEY.sign(b"m"), KEY.sign(b"m", encoding="raw")
    assert der[0] == 0x30
    assert len(raw) == 64
    KEY.public_key().verify(raw, b"m", encoding="raw")
    for signature, encoding in ((raw, "der"), (der, "raw")):
        with pytest.raises(InvalidSignature):
            KEY.public_key().verify(signature, b"m", encoding=encoding)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="no such encoding"):
        KEY.sign(b"m", encoding="pem")  # type: ignore[arg-type]


@pytest.mark.parametrize("length", [0, 31, 33])
def test_a_digest_has_32_bytes(length: int) -> None:
    with pytest.raises(UsageError, match="32 bytes"):
        KEY.sign_digest(bytes(length))
    with pytest.raises(UsageError, match="32 bytes"):
        KEY.public_key().verify_digest(KEY.sign(b"m"), bytes(length))


def test_identifiers_have_a_limit() -> None:
    public = KEY.public_key()
    point = ref.finite(ref.multiply(7, ref.G))
    for length in (0, 1, 16, 8191):
        name = b"i" * length
        assert public.z_value(name) == ref.z_value(point, name)
    with pytest.raises(UsageError, match="8191"):
        public.z_value(b"i" * 8192)
    with pytest.raises(UsageError, match="8191"):
        sm2.verify_batch([(public, KEY.sign(b"m"), b"m")], distinguishing_id=b"i" * 8192)


def test_encryption_names_its_limits() -> None:
    public = KEY.public_key()
    with pytest.raises(UsageError, match="empty"):
        public.encrypt(b"")
    with pytest.raises(UsageError, match="16 MiB"):
        public.encrypt(bytes(2**24 + 1))
    with pytest.raises(UsageError, match="no such layout"):
        public.encrypt(b"m", layout="asn1")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="leading_04"):
        public.encrypt(b"m", leading_04=False)


@pytest.mark.parametrize("layout", ["der", "c1c3c2", "c1c2c3"])
@pytest.mark.parametrize("length", [1, 31, 32, 33, 95, 127, 128, 255, 256, 70_000])
def test_decrypts_what_it_encrypts(layout: str, length: int) -> None:
    data = bytes(range(256)) * (length // 256 + 1)
    ciphertext = KEY.public_key().encrypt(data[:length], layout=layout)  # type: ignore[arg-type]
    assert KEY.decrypt(ciphertext, layout=layout) == data[:length]  # type: ignore[arg-type]


def test_batches_do_what_single_calls_do() -> None:
    keys = [sm2.PrivateKey.generate() for _ in range(5)]
    messages = [b"reading %d" % number for number in range(5)]
    signatures = sm2.sign_batch(list(zip(keys, messages, strict=True)))
    for key, signature, message in zip(keys, signatures, messages, strict=True):
        key.public_key().verify(signature, message)
    publics = [key.public_key() for key in keys]
    requests = list(zip(publics, signatures, messages, strict=True))
    assert sm2.verify_batch(requests) == [True] * 5
    requests[1] = (publics[1], signatures[2], messages[1])
    requests[3] = (publics[3], b"no signature", messages[3])
    assert sm2.verify_batch(requests) == [True, False, True, False, True]
    assert sm2.sign_batch([]) == []
    assert sm2.verify_batch([]) == []


@pytest.mark.parametrize("count", [0, 1, 8, 17, 130])
def test_keys_and_agreements_of_a_batch_are_as_good_as_single_ones(count: int) -> None:
    keys = sm2.generate_batch(count)
    assert len({key.to_bytes() for key in keys}) == count
    peers = [key.public_key() for key in reversed(keys)]
    shared = sm2.exchange_ecdh_batch(list(zip(keys, peers, strict=True)))
    assert shared == [key.exchange_ecdh(peer) for key, peer in zip(keys, peers, strict=True)]
    for key in keys:
        assert sm2.PrivateKey.from_bytes(key.to_bytes()).public_key() == key.public_key()


def test_a_batch_of_keys_has_a_limit() -> None:
    with pytest.raises(UsageError, match="1,048,576"):
        sm2.generate_batch(2**20 + 1)


def test_a_signer_takes_the_message_in_pieces_and_signs_once() -> None:
    signer = KEY.signer(b"meter")
    for piece in (b"rea", b"", bytearray(b"ding")):
        signer.update(piece)
    signature = signer.finish()
    KEY.public_key().verify(signature, b"reading", b"meter")
    for act in (lambda: signer.update(b"more"), signer.finish):
        with pytest.raises(UsageError, match="has given its result"):
            act()


def test_plain_ecdh_agrees_with_the_reference() -> None:
    peer = sm2.PrivateKey.generate()
    x, y = (int.from_bytes(peer.public_key().to_bytes()[i : i + 32], "big") for i in (1, 33))
    shared = ref.finite(ref.multiply(7, (x, y)))[0]
    assert KEY.exchange_ecdh(peer.public_key()) == ref.octets(shared)
    assert peer.exchange_ecdh(KEY.public_key()) == ref.octets(shared)


def test_invalid_keys_are_usage_errors_and_value_errors() -> None:
    with pytest.raises(ValueError, match="1 to n-2"):
        sm2.PrivateKey.from_bytes(bytes(32))
    assert issubclass(InvalidKey, UsageError)
