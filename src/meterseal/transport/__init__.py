"""Sans-IO secure transport: bytes in, bytes out."""
