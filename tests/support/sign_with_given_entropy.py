"""Signs digests in a fresh process with a generator whose entropy and clock are given.

Arguments: what varies the entropy, the frozen UTC nanoseconds, then digests in hexadecimal. A fresh
process starts its counter anew, so that two runs differ in nothing but the arguments.
"""

import sys

from meterseal.crypto import danger, random, sm2

PATTERN = bytes(range(256))


def main() -> None:
    variation, now, *digests = sys.argv[1:]
    key = sm2.PrivateKey.from_bytes(bytes(31) + b"\7")
    for digest in digests:
        generator = random.Sm3Drbg(constant(int(variation)), lambda: int(now))
        signature = danger.sign_digest_with_generator(
            key, bytes.fromhex(digest), generator, encoding="raw"
        )
        sys.stdout.write(signature.hex() + "\n")


def constant(variation: int) -> random.EntropySource:
    """The same bytes at every call: a broken source that health tests cannot notice."""

    def entropy(length: int) -> bytes:
        repeated = PATTERN * (length // 256 + 2)
        return repeated[variation : variation + length]

    return entropy


if __name__ == "__main__":
    main()
