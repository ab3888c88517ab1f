"""ML-KEM-768 (FIPS 203): key agreement that a quantum computer does not break.

private = MlKem768PrivateKey.generate()
ciphertext, secret = mlkem768_encapsulate(private.public_bytes())
assert private.decapsulate(ciphertext) == secret
"""

from typing import Final

from meterseal._core import MlKem768PrivateKey, mlkem768_encapsulate

__all__ = ["CIPHERTEXT_LENGTH", "PUBLIC_LENGTH", "MlKem768PrivateKey", "mlkem768_encapsulate"]

PUBLIC_LENGTH: Final = 1184
CIPHERTEXT_LENGTH: Final = 1088
