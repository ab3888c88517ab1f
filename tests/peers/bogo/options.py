"""The runner's flags: those that the shim follows, and why it does not follow the others.

A flag may carry a prefix that limits it to the first connection or to those that resume. Exit
code 89 tells the runner that a case asks for something that is not there; every reason stands here.
"""

from __future__ import annotations

from dataclasses import dataclass, field

TLS12, TLS13 = 0x0303, 0x0304


class Unimplemented(Exception):
    """The case asks for something that we do not have, on purpose or not yet."""


@dataclass
class Options:
    """What one connection is to do. Names are those of the runner's flags."""

    port: int = 0
    shim_id: int = 0
    ipv6: bool = False
    server: bool = False
    resume_count: int = 0
    is_resumption: bool = False

    cert_file: str = ""
    key_file: str = ""
    trust_cert: str = ""
    verify_peer: bool = False
    verify_fail: bool = False
    reverify_on_resume: bool = False
    require_any_client_certificate: bool = False
    expect_no_peer_cert: bool = False

    min_version: int = TLS12
    max_version: int = TLS13
    no_tls13: bool = False
    no_tls12: bool = False
    curves: list[int] = field(default_factory=list)
    key_shares: list[int] = field(default_factory=list)
    no_key_shares: bool = False
    verify_prefs: list[int] = field(default_factory=list)
    signing_prefs: list[int] = field(default_factory=list)
    cipher: str = ""
    fips_202205: bool = False
    wpa_202304: bool = False
    cnsa_202407: bool = False
    cnsa1_202603: bool = False
    cnsa2_202603: bool = False
    no_ticket: bool = False
    no_legacy_server_connect: bool = False
    enable_ocsp_stapling: bool = False
    ocsp_response: str = ""
    decline_ocsp_callback: bool = False
    host_name: str = ""
    advertise_alpn: str = ""
    select_alpn: str = ""
    decline_alpn: bool = False
    reject_alpn: bool = False
    resumption_delay: int = 0

    asynchronous: bool = False
    shim_writes_first: bool = False
    shim_initial_write: str = "hello"
    repeat_shim_initial_write: int = 1
    shim_shuts_down: bool = False
    check_close_notify: bool = False
    write_different_record_sizes: bool = False
    read_size: int = 512
    key_update: bool = False
    key_update_before_read: bool = False
    export_keying_material: int = 0
    export_label: str = ""
    export_context: str = ""
    use_export_context: bool = False

    expect_version: int = 0
    expect_session_miss: bool = False
    expect_session_id: bool = False
    expect_no_session_id: bool = False
    expect_early_data_reason: str = ""
    expect_peer_verify_pref: list[int] = field(default_factory=list)
    expect_no_session: bool = False
    expect_ticket_renewal: bool = False
    expect_extended_master_secret: bool = False
    expect_secure_renegotiation: bool = False
    expect_peer_cert_file: str = ""
    expect_server_name: str = ""
    expect_no_server_name: bool = False
    expect_alpn: str = ""
    expect_ocsp_response: str = ""
    expect_advertised_alpn: str = ""
    expect_curve_id: int = 0
    expect_cipher: int = 0
    expect_cipher_aes: int = 0
    expect_peer_signature_algorithm: int = 0
    expect_hrr: bool = False
    expect_no_hrr: bool = False


_NAMES = {"async": "asynchronous"}
_LISTS = {"curves", "key_shares", "verify_prefs", "signing_prefs", "expect_peer_verify_pref"}

# Flags that change nothing for us: what they switch on we always do, or it is a way of calling.
IGNORED = {
    "implicit-handshake": 0,
    "use-custom-verify-callback": 0,
    "use-old-client-cert-callback": 0,
    "use-early-callback": 0,
    "use-ocsp-callback": 0,
    "set-ocsp-in-callback": 0,
    "install-ddos-callback": 0,
    "expect-verify-result": 0,  # verification is never optional here
    "no-tls1": 0,
    "no-tls11": 0,
    "server-preference": 0,
    "no-op-extra-handshake": 0,
    "renegotiate-ignore": 0,
    "expect-cipher-no-aes": 1,
    "expect-total-renegotiations": 1,
    "expect-selected-credential": 1,
    "handshaker-path": 1,
}

_ABSENT = {
    "DTLS is not spoken": ("dtls", "mtu"),
    "QUIC is not spoken": ("quic", "quic-"),
    "0-RTT is absent on purpose": ("enable-early-data", "early-data", "early-write"),
    "pre-shared keys from outside are absent": ("psk", "psk-", "new-psk-credential"),
    "encrypted ClientHello is absent": ("ech-", "ech", "unusable-ech"),
    "SCTs are absent": ("signed-cert-timestamps",),
    "no callback decides on OCSP responses": ("fail-ocsp-callback",),
    "raw public keys are absent": ("rpk", "cert-types", "certificate-type"),
    "delegated credentials are absent": ("delegated",),
    "password-authenticated exchange is absent": ("pake", "spake"),
    "trust anchor identifiers are absent": ("trust-anchor", "cert-properties"),
    "certificate compression is absent": ("cert-compression",),
    "Channel ID is absent": ("channel-id",),
    "NPN is absent": ("npn", "next-proto"),
    "ALPS is absent": ("alps", "application-settings"),
    "SRTP is absent": ("srtp",),
    "renegotiation is absent on purpose": ("renegotiat",),
    "False Start is absent": ("false-start",),
    "GREASE and permuted extensions are absent": ("grease", "permute"),
    "one credential for a configuration, no choice among several": (
        "must-match-issuer", "client-ca-list",
    ),
    "tls-unique is absent": ("tls-unique",),
    "handing a handshake to another process is absent": ("handshaker", "shim-", "handoff", "hint"),
    "ticket callbacks and keys given from outside are absent": (
        "ticket-callback", "ticket-aead-callback", "ticket-key", "renew-ticket", "skip-ticket",
    ),
    "resumption across names is absent on purpose": ("across-names",),
    "padding asked for by extension is absent": ("-padding",),
    "a workaround for JDK 11 is absent": ("jdk11",),
}  # fmt: skip


def parse(arguments: list[str], connection: int) -> Options:
    """Read the flags for one connection, 0 being the first. Raises Unimplemented."""
    options = Options(is_resumption=connection > 0)
    rest = iter(arguments)
    for flag in rest:
        name, applies = _scope(flag.removeprefix("-"), connection)
        attribute = _NAMES.get(name, name.replace("-", "_"))
        if name == "new-x509-credential":
            if options.cert_file:
                raise Unimplemented("one credential for a configuration, no choice among several")
        elif name in IGNORED:
            for _ in range(IGNORED[name]):
                next(rest)
        elif attribute in Options.__dataclass_fields__ and attribute != "is_resumption":
            _set(options, attribute, rest, applies=applies)
        else:
            raise Unimplemented(_why(name))
    return options


def _scope(name: str, connection: int) -> tuple[str, bool]:
    if name.startswith("on-initial-"):
        return name.removeprefix("on-initial-"), connection == 0
    if name.startswith("on-resume-"):
        return name.removeprefix("on-resume-"), connection > 0
    if name.startswith("on-retry-"):
        raise Unimplemented("0-RTT is absent on purpose")
    return name, True


def _set(options: Options, attribute: str, rest: object, *, applies: bool) -> None:
    current = getattr(options, attribute)
    if isinstance(current, bool):
        value: object = True
    else:
        text = next(rest)  # type: ignore[call-overload]
        if attribute in _LISTS:
            value = [*current, int(text)]
        else:
            value = int(text) if isinstance(current, int) else text
    if applies:
        setattr(options, attribute, value)


def _why(name: str) -> str:
    for reason, words in _ABSENT.items():
        if any(word in name for word in words):
            return reason
    return f"the flag -{name} is not followed"
