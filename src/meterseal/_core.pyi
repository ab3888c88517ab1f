# Typed face of the compiled core; checked against the extension by stubtest.
from collections.abc import Callable
from typing import ClassVar, Literal, Never, Self, TypeAlias, final

_Buffer: TypeAlias = bytes | bytearray | memoryview

# --- back-ends -------------------------------------------------------------------------------

def backend() -> str: ...
def available_backends() -> list[str]: ...
def force_backend(name: str) -> None: ...

# --- SM3, HMAC, key derivation ---------------------------------------------------------------

# --- SM4 -------------------------------------------------------------------------------------

# --- records of the TLS 1.2-shaped protocols -------------------------------------------------

# --- randomness ------------------------------------------------------------------------------

def random_bytes(length: int, extra: _Buffer | None = None) -> bytes: ...

@final
class Sm3Drbg:
    def __new__(cls, entropy: Callable[[int], bytes], clock: Callable[[], int]) -> Self: ...
    def random_bytes(self, length: int, extra: _Buffer | None = None) -> bytes: ...
    def reseed(self) -> None: ...

# --- SM2 -------------------------------------------------------------------------------------

_SignatureEncoding: TypeAlias = Literal["der", "raw"]
_Layout: TypeAlias = Literal["der", "c1c3c2", "c1c2c3"]

@final
class PublicKey:
    @staticmethod
    def from_bytes(point: _Buffer) -> PublicKey: ...
    def to_bytes(self, compressed: bool = False) -> bytes: ...
    def z_value(self, distinguishing_id: _Buffer = b"1234567812345678") -> bytes: ...
    def verify(
        self,
        signature: _Buffer,
        message: _Buffer,
        distinguishing_id: _Buffer = b"1234567812345678",
        encoding: _SignatureEncoding = "der",
    ) -> None: ...
    def verify_digest(
        self, signature: _Buffer, digest: _Buffer, encoding: _SignatureEncoding = "der"
    ) -> None: ...
    def encrypt(self, data: _Buffer, layout: _Layout = "der", leading_04: bool = True) -> bytes: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...
    def __reduce__(self) -> tuple[Callable[[bytes], PublicKey], tuple[bytes]]: ...

@final
class PrivateKey:
    @staticmethod
    def generate() -> PrivateKey: ...
    @staticmethod
    def from_bytes(private_key: _Buffer) -> PrivateKey: ...
    def to_bytes(self) -> bytes: ...
    def public_key(self) -> PublicKey: ...
    def sign(
        self,
        message: _Buffer,
        distinguishing_id: _Buffer = b"1234567812345678",
        encoding: _SignatureEncoding = "der",
    ) -> bytes: ...
    def sign_digest(self, digest: _Buffer, encoding: _SignatureEncoding = "der") -> bytes: ...
    def signer(self, distinguishing_id: _Buffer = b"1234567812345678") -> Signer: ...
    def decrypt(
        self, ciphertext: _Buffer, layout: _Layout = "der", leading_04: bool = True
    ) -> bytes: ...
    def exchange_ecdh(self, peer: PublicKey) -> bytes: ...
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]
    def __reduce__(self) -> Never: ...
    def __copy__(self) -> PrivateKey: ...
    def __deepcopy__(self, memo: object) -> PrivateKey: ...

@final
class Signer:
    def update(self, data: _Buffer) -> None: ...
    def finish(self, encoding: _SignatureEncoding = "der") -> bytes: ...

@final
class KeyExchange:
    def __new__(
        cls,
        key: PrivateKey,
        *,
        initiator: bool,
        distinguishing_id: _Buffer = b"1234567812345678",
    ) -> Self: ...
    @property
    def ephemeral_public_key(self) -> PublicKey: ...
    def agree(
        self,
        peer_public_key: PublicKey,
        peer_ephemeral_public_key: PublicKey,
        key_length: int,
        peer_distinguishing_id: _Buffer = b"1234567812345678",
    ) -> Agreement: ...

@final
class Agreement:
    @property
    def key(self) -> bytes: ...
    @property
    def confirmation(self) -> bytes: ...
    def verify_confirmation(self, confirmation: _Buffer) -> None: ...

def sign_batch(
    requests: list[tuple[PrivateKey, _Buffer]],
    distinguishing_id: _Buffer = b"1234567812345678",
    encoding: _SignatureEncoding = "der",
) -> list[bytes]: ...
def verify_batch(
    requests: list[tuple[PublicKey, _Buffer, _Buffer]],
    distinguishing_id: _Buffer = b"1234567812345678",
    encoding: _SignatureEncoding = "der",
) -> list[bool]: ...

# Nonces given from outside: for test vectors, dangerous anywhere else.
def sign_digest_with_nonce(
    key: PrivateKey, digest: _Buffer, nonce: _Buffer, encoding: _SignatureEncoding = "der"
) -> bytes: ...
def sign_digest_with_generator(
    key: PrivateKey, digest: _Buffer, generator: Sm3Drbg, encoding: _SignatureEncoding = "der"
) -> bytes: ...
def encrypt_with_nonce(
    key: PublicKey,
    data: _Buffer,
    nonce: _Buffer,
    layout: _Layout = "der",
    leading_04: bool = True,
) -> bytes: ...
def exchange_with_ephemeral(
    key: PrivateKey,
    ephemeral: PrivateKey,
    *,
    initiator: bool,
    distinguishing_id: _Buffer = b"1234567812345678",
) -> KeyExchange: ...
