#!/usr/bin/env bash
# What tests and benchmarks compare us with, from Debian and PyPI, as far as it is missing here. What
# cannot be had is named: its tests are skipped then, and the benchmarks say so too.
set -euo pipefail
cd "$(dirname "$0")/../.."

missing=()
need() { # PACKAGE TEST...: unless the test holds
    "${@:2}" >/dev/null 2>&1 || missing+=("$1")
}

# tshark judges our captures, openssl our certificates; cmake builds a peer; valgrind watches what
# is done with secrets and counts instructions; mosquitto is the second broker.
need tshark command -v tshark
need openssl command -v openssl
need cmake command -v cmake
need valgrind command -v valgrind
PATH=$PATH:/usr/sbin need mosquitto command -v mosquitto
# Looks at the display, in a font that has Chinese.
need chromium command -v chromium
need fonts-wqy-microhei test -d /usr/share/fonts/truetype/wqy
# Contestants of the benchmarks.
need libgcrypt20-dev test -f /usr/include/gcrypt.h
need libssl-dev test -f /usr/include/openssl/evp.h

if ((${#missing[@]})); then
    if ((EUID == 0)) && command -v apt-get >/dev/null; then
        export DEBIAN_FRONTEND=noninteractive
        { apt-get update -qq &&
            apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null; } ||
            echo "could not be installed: ${missing[*]}" >&2
    else
        echo "not here, and only root can install it: ${missing[*]}" >&2
    fi
fi

# GmSSL 3.1.1: installing its package builds it into the home folder.
if [[ ! -x ~/.gmssl_3.1.1_install/bin/gmssl ]]; then
    timeout 400 .venv/bin/pip install --quiet --no-cache-dir --no-deps \
        --target "$(mktemp -d)" --require-hashes \
        --requirement tests/peers/gmssl3.txt ||
        echo "GmSSL 3.1.1 does not build here: its tests will be skipped" >&2
fi
