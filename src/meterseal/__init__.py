"""Seal electricity-metering data with the Chinese commercial ciphers SM2, SM3 and SM4."""

__version__ = "0.1.0"
