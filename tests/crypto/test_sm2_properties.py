"""SM2 against the textbook formulas and against other implementations."""

import pytest
from gmssl import sm2 as gmssl_sm2
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from tongsuopy.crypto import hashes as tongsuo_hashes
from tongsuopy.crypto.asymciphers import ec as tongsuo_ec

from meterseal.crypto import danger, sm2
from meterseal.errors import InvalidSignature
from support import sm2_reference as ref

pytestmark = pytest.mark.usefixtures("backend")
few = settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
scalars = st.integers(1, ref.N - 2)
messages = st.binary(min_size=1, max_size=200)
SM3_SIGNATURES = tongsuo_ec.ECDSA(tongsuo_hashes.SM3())


def edge_scalars() -> set[int]:
    """Where windows carry and where additions could meet equal or opposite points.

    Near 0, near n, half a window's range in each window, runs of ones.
    """
    powers = {2**i + d for i in range(0, 256, 17) for d in (-1, 0, 1)}
    small = set(range(1, 40))
    windows = {16 * 32**i for i in range(0, 51, 2)} | {32 * 64**i for i in range(0, 42, 2)}
    runs = {int("5" * 64, 16), int("a" * 64, 16), 2**128 - 1, (2**128 - 1) << 64, 2**255 - 1}
    below_n = {ref.N - k for k in (*range(2, 40), 2**64, 2**128)}
    doubling_at_the_end = {ref.N - 2 * k for k in range(1, 33)}
    return {k % ref.N for k in powers | small | windows | runs | below_n | doubling_at_the_end} - {
        0,
        ref.N - 1,
    }


def key_of(number: int) -> sm2.PrivateKey:
    return sm2.PrivateKey.from_bytes(ref.octets(number))


def point_of(key: sm2.PublicKey) -> ref.Point:
    encoded = key.to_bytes()
    return int.from_bytes(encoded[1:33], "big"), int.from_bytes(encoded[33:], "big")


def test_multiples_at_the_edges_are_those_of_the_textbook() -> None:
    base = ref.finite(ref.multiply(0xC0FFEE, ref.G))
    peer = sm2.PublicKey.from_bytes(b"\4" + ref.octets(*base))
    for number in sorted(edge_scalars()):
        key = key_of(number)
        point = ref.finite(ref.multiply(number, ref.G))
        assert point_of(key.public_key()) == point, hex(number)
        shared = ref.finite(ref.multiply(0xC0FFEE, point))
        assert key.exchange_ecdh(peer) == ref.octets(shared[0]), hex(number)


def test_verification_of_equal_and_opposite_points() -> None:
    """[s]G and [t]P meet, cancel, or leave one of them alone: d and s chosen so."""
    for d in (1, 2, 3, ref.N - 2, (ref.N - 1) // 2, (ref.N + 1) // 2):
        key = key_of(d)
        public = point_of(key.public_key())
        for s in (1, 2, 3, 5, d, ref.N - d, ref.N - 1):
            for t in (1, 2, pow(d, -1, ref.N), ref.N - 1, (ref.N - s) * pow(d, -1, ref.N) % ref.N):
                r = (t - s) % ref.N
                point = ref.add(ref.multiply(s, ref.G), ref.multiply(t, public))
                e = (r - (point or (0, 0))[0]) % ref.N
                expected = ref.verifies(public, e, r, s)
                assert verifies(key.public_key(), e, r, s) == expected, (d, s, t)
                assert not verifies(key.public_key(), (e + 1) % ref.N, r, s)


def test_verification_by_scalars_at_the_edges() -> None:
    """[s]G and [t]P for s and t at either end, with runs, and where digits carry."""
    key = key_of(0xC0FFEE)
    public = point_of(key.public_key())
    edges = sorted(edge_scalars())
    for s, t in zip(edges[::3], reversed(edges[::3]), strict=True):
        r = (t - s) % ref.N
        point = ref.add(ref.multiply(s, ref.G), ref.multiply(t, public))
        e = (r - (point or (0, 0))[0]) % ref.N
        assert verifies(key.public_key(), e, r, s) == (r != 0), (hex(s), hex(t))
        assert not verifies(key.public_key(), (e + 1) % ref.N, r, s)


def verifies(public: sm2.PublicKey, e: int, r: int, s: int) -> bool:
    """Return the verdict, which is the same after the key was prepared."""
    verdict = verifies_once(public, e, r, s)
    prepared = sm2.PublicKey.from_bytes(public.to_bytes())
    prepared.prepare()
    assert verifies_once(prepared, e, r, s) == verdict
    return verdict


def verifies_once(public: sm2.PublicKey, e: int, r: int, s: int) -> bool:
    try:
        public.verify_digest(ref.octets(r, s), ref.octets(e), encoding="raw")
    except InvalidSignature:
        return False
    return True


def test_verification_takes_x_coordinates_above_n() -> None:
    """x1 of n..p-1 is congruent to a smaller number: r - e alone does not equal it."""
    x = next(x for x in range(ref.N, ref.P) if root_of(x))
    # Find e, r, s for that point R = [k]G is not possible without k; use P = [t^-1](R - [s]G).
    s, t = 12345, 67890
    r = (t - s) % ref.N
    difference = ref.add((x, root_of(x)), negated(ref.finite(ref.multiply(s, ref.G))))
    public = ref.finite(ref.multiply(pow(t, -1, ref.N), difference))
    e = (r - x) % ref.N
    assert ref.verifies(public, e, r, s)
    assert verifies(sm2.PublicKey.from_bytes(b"\4" + ref.octets(*public)), e, r, s)


def root_of(x: int) -> int:
    square = (x**3 + ref.A * x + ref.B) % ref.P
    y = pow(square, (ref.P + 1) // 4, ref.P)
    return y if y * y % ref.P == square else 0


def negated(point: ref.Point) -> ref.Point:
    return point[0], -point[1] % ref.P


@few
@given(scalars, scalars, st.binary(min_size=32, max_size=32))
def test_signs_as_the_textbook_does(d: int, k: int, digest: bytes) -> None:
    e = int.from_bytes(digest, "big")
    expected = ref.sign(d, e, k)
    signature = danger.sign_digest_with_nonce(key_of(d), digest, ref.octets(k), encoding="raw")
    assert signature == ref.octets(*expected)
    key_of(d).public_key().verify_digest(signature, digest, encoding="raw")


@few
@given(scalars, messages)
def test_signatures_cross_with_tongsuo(d: int, message: bytes) -> None:
    ours, theirs = key_of(d), tongsuo_ec.derive_private_key(d, tongsuo_ec.SM2())
    theirs.public_key().verify(ours.sign(message), message, SM3_SIGNATURES)
    ours.public_key().verify(theirs.sign(message, SM3_SIGNATURES), message)


@settings(few, max_examples=5)
@given(scalars, messages)
def test_signatures_and_ciphertexts_cross_with_gmssl(d: int, message: bytes) -> None:
    ours = key_of(d)
    point = ours.public_key().to_bytes()[1:].hex()
    assume(not point.startswith("04"))  # gmssl takes it for the tag of the point
    theirs = gmssl_sm2.CryptSM2(f"{d:064x}", point, mode=1)
    assert theirs.verify_with_sm3(ours.sign(message, encoding="raw").hex(), message)
    ours.public_key().verify(bytes.fromhex(theirs.sign_with_sm3(message)), message, encoding="raw")
    bare = ours.public_key().encrypt(message, layout="c1c3c2", leading_04=False)
    assert theirs.decrypt(bare) == message
    encrypted = theirs.encrypt(message)
    assume(encrypted is not None)
    assert ours.decrypt(encrypted, layout="c1c3c2", leading_04=False) == message
