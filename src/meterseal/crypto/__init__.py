"""The typed face of the cipher core: SM2, SM3, SM4, key derivation, randomness."""
