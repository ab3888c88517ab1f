"""TLS 1.3 with SM suites (RFC 8446, RFC 8998) as one generator flow per role."""
