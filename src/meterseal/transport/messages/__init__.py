"""The handshake messages of TLS 1.2 and TLCP, one codec each."""
