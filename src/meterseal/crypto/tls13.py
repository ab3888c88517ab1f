"""The key schedule and the records of TLS 1.3 with SM suites (RFC 8446, 5 and 7; RFC 8998).

Secrets stay inside these objects, which go from stage to stage as the handshake does:

    schedule = KeySchedule("sm4-gcm")
    sealer, opener = schedule.handshake_protection(shared_secret, hash_of_hellos, is_client=True)
    expected = schedule.verify_data(of_client=False, transcript_hash=hash_before_finished)
    sealer, opener = schedule.application_protection(hash_with_finished, is_client=True)
"""

from meterseal._core import Exporter, KeySchedule, Psk, Resumption, Tls13Opener, Tls13Sealer

__all__ = ["Exporter", "KeySchedule", "Psk", "Resumption", "Tls13Opener", "Tls13Sealer"]
