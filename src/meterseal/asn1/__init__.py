"""Strict DER and the object identifiers of the SM world."""

from meterseal.asn1.der import Element, Reader

__all__ = ["Element", "Reader"]
