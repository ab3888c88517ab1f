"""The TLS 1.2-shaped handshake as one generator flow per role."""
