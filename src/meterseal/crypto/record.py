"""Secrets and record protection of the protocols shaped like TLS 1.2 (TLS 1.2 itself, TLCP 1.1).

Keys, nonces and sequence numbers stay inside these objects; what goes in and out is whole records.

    master = MasterSecret.derive(pre_master_secret, client_random, server_random)
    sealer, opener = master.gcm_protection(client_random, server_random, 0x0303, is_client=True)
"""

from meterseal._core import CbcOpener, CbcSealer, GcmOpener, GcmSealer, MasterSecret

__all__ = ["CbcOpener", "CbcSealer", "GcmOpener", "GcmSealer", "MasterSecret"]
