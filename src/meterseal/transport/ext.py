"""The numbers of hello extensions: `ext.KEY_SHARE`.

They are looked up a hundred times in a handshake, and a member of an enum takes five times as long
as an integer. The enum for people is `codepoints.ExtensionType`.
"""

from typing import Final

SERVER_NAME: Final = 0
STATUS_REQUEST: Final = 5
SUPPORTED_GROUPS: Final = 10
EC_POINT_FORMATS: Final = 11
SIGNATURE_ALGORITHMS: Final = 13
APPLICATION_LAYER_PROTOCOL_NEGOTIATION: Final = 16
PADDING: Final = 21
EXTENDED_MASTER_SECRET: Final = 23
SESSION_TICKET: Final = 35
PRE_SHARED_KEY: Final = 41
EARLY_DATA: Final = 42
SUPPORTED_VERSIONS: Final = 43
COOKIE: Final = 44
PSK_KEY_EXCHANGE_MODES: Final = 45
CERTIFICATE_AUTHORITIES: Final = 47
KEY_SHARE: Final = 51
RENEGOTIATION_INFO: Final = 0xFF01
