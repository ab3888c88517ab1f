"""`meterseal key`: make, show and convert SM2 keys."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from meterseal.cli.files import STANDARD_STREAM, read_file, write_file
from meterseal.cli.options import (
    Force,
    Json,
    Out,
    PasswordFile,
    load_key,
    new_password,
    print_facts,
    print_json,
    unlock,
)

if TYPE_CHECKING:
    from meterseal.x509.pbes2 import Encryption

__all__ = ["app"]

app = typer.Typer(help="Make, show and convert SM2 keys.", no_args_is_help=True)


class Format(StrEnum):
    """The forms of private key files."""

    PKCS8 = "pkcs8"
    PKCS8_DER = "pkcs8-der"
    SEC1 = "sec1"
    SEC1_DER = "sec1-der"
    HEX = "hex"


class PublicFormat(StrEnum):
    """The forms of public key files."""

    PEM = "pem"
    DER = "der"
    HEX = "hex"


class Cipher(StrEnum):
    """The ciphers of encrypted private keys."""

    SM4_CBC = "sm4-cbc"
    AES_128_CBC = "aes-128-cbc"
    AES_192_CBC = "aes-192-cbc"
    AES_256_CBC = "aes-256-cbc"


class Prf(StrEnum):
    """The functions that derive the cipher's key from the password."""

    HMAC_SM3 = "hmac-sm3"
    HMAC_SM3_OPENSSL = "hmac-sm3-openssl"
    HMAC_SHA1 = "hmac-sha1"
    HMAC_SHA224 = "hmac-sha224"
    HMAC_SHA256 = "hmac-sha256"
    HMAC_SHA384 = "hmac-sha384"
    HMAC_SHA512 = "hmac-sha512"


KeyFile = Annotated[Path, typer.Argument(metavar="KEY", help="Key file; - is standard input.")]
FormatOption = Annotated[
    Format, typer.Option("--format", help="sec1 has an EC PARAMETERS block before the key.")
]
EncryptOption = Annotated[bool, typer.Option("--encrypt", help="Encrypt with a password.")]
CipherOption = Annotated[Cipher, typer.Option("--cipher", help="Cipher of an encrypted key.")]
PrfOption = Annotated[
    Prf,
    typer.Option(
        "--prf", help="GmSSL reads hmac-sm3, OpenSSL 4 hmac-sm3-openssl, all others hmac-sha256."
    ),
]
IterationsOption = Annotated[int, typer.Option("--iterations", help="Rounds of PBKDF2.")]


@app.command()
def generate(
    *,
    out: Out,
    form: FormatOption = Format.PKCS8,
    encrypt: EncryptOption = False,
    password_file: PasswordFile = None,
    cipher: CipherOption = Cipher.SM4_CBC,
    prf: PrfOption = Prf.HMAC_SM3,
    iterations: IterationsOption = 65536,
    force: Force = False,
) -> None:
    """Generate a private key."""
    from meterseal.crypto.sm2 import PrivateKey
    from meterseal.x509.keys import dump_private_key

    password = new_password(password_file) if encrypt else None
    encryption = _encryption(cipher, prf, iterations) if encrypt else None
    key = PrivateKey.generate()
    data = dump_private_key(key, form.value, password=password, encryption=encryption)
    write_file(out, data, private=True, force=force)


@app.command()
def public(
    key: KeyFile,
    *,
    out: Out = STANDARD_STREAM,
    form: Annotated[PublicFormat, typer.Option("--format")] = PublicFormat.PEM,
    password_file: PasswordFile = None,
    force: Force = False,
) -> None:
    """Write the public key of a private key, or a public key in another form."""
    from meterseal.x509 import keys

    data = read_file(key)
    if keys.describe_key(data).private:
        public_key = unlock(data, password_file).public_key()
    else:
        public_key = keys.load_public_key(data)
    write_file(out, keys.dump_public_key(public_key, form.value), private=False, force=force)


@app.command()
def show(key: KeyFile, *, json: Json = False, password_file: PasswordFile = None) -> None:
    """Show what a key file holds; the private number is never printed."""
    from meterseal.crypto.sm3 import sm3
    from meterseal.x509 import keys

    data = read_file(key)
    described = keys.describe_key(data)
    if described.private:
        public_key = unlock(data, password_file).public_key()
    else:
        public_key = keys.load_public_key(data)
    facts = {
        "kind": "private" if described.private else "public",
        "form": described.form,
        "encryption": described.encryption,
        "curve": "sm2p256v1",
        "public_key": public_key.to_bytes().hex(),
        "fingerprint": sm3(keys.dump_public_key(public_key, "der")).hexdigest(),
    }
    if json:
        print_json(facts)
    else:
        print_facts(facts)


@app.command()
def convert(
    key: KeyFile,
    *,
    out: Out,
    form: FormatOption = Format.PKCS8,
    encrypt: EncryptOption = False,
    password_file: PasswordFile = None,
    new_password_file: Annotated[
        Path | None,
        typer.Option("--new-password-file", help="Password of the new file, as above."),
    ] = None,
    cipher: CipherOption = Cipher.SM4_CBC,
    prf: PrfOption = Prf.HMAC_SM3,
    iterations: IterationsOption = 65536,
    force: Force = False,
) -> None:
    """Convert a private key to another form, encrypt it, or take its encryption away."""
    from meterseal.x509.keys import dump_private_key

    private_key = load_key(key, password_file)
    password = new_password(new_password_file) if encrypt else None
    encryption = _encryption(cipher, prf, iterations) if encrypt else None
    data = dump_private_key(private_key, form.value, password=password, encryption=encryption)
    write_file(out, data, private=True, force=force)


def _encryption(cipher: Cipher, prf: Prf, iterations: int) -> Encryption:
    from meterseal.x509.pbes2 import Encryption

    return Encryption(cipher.value, prf.value, iterations)
