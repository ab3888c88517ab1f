"""SM2 keys and X.509 certificates as values: no file, clock or socket here."""
