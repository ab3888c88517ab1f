"""Strict DER and the object identifiers of the SM world."""
