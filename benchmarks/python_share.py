"""Print which part of a full handshake is spent in Python, and which in the core.

The whole is CPU time without a profiler. The core's part is the time inside calls into it, under a
profiler that counts CPU time of the thread; what the profiler adds to such a call is a fraction of
a microsecond, and is left in, so that Python's share is rather told too small by a percent.
"""

from __future__ import annotations

import argparse
import cProfile
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from ends import CURVE_SM2, HYBRID, Ours, shake_hands

from meterseal.transport import SUITES
from meterseal.transport.codepoints import TLS13

# Static methods appear in a profile under their bare name.
_STATIC = {f"<built-in method {name}>" for name in ("generate", "derive", "derive_extended")}


def is_core(code: object) -> bool:
    """Whether an entry of a profile is a call into the core."""
    return isinstance(code, str) and ("meterseal." in code or code in _STATIC)


def whole_and_core(stack: Ours, rounds: int) -> tuple[float, float]:
    """CPU seconds of a handshake, both ends, and of its calls into the core; taken in turns."""
    profile, whole = cProfile.Profile(time.thread_time), 0.0
    for _ in range(rounds):
        whole += sum(shake_hands(stack).seconds)
        profile.enable()
        shake_hands(stack)
        profile.disable()
    core = sum(entry.inlinetime for entry in profile.getstats() if is_core(entry.code))
    return whole / rounds, core / rounds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=100)
    rounds = parser.parse_args().rounds
    print(f"{'full handshake, both ends':<38}{'us':>8}{'core us':>9}{'Python':>8}")
    for suite in SUITES.values():
        for group in (CURVE_SM2, HYBRID) if suite.version == TLS13 else (CURVE_SM2,):
            stack = Ours(suite, group)
            shake_hands(stack)
            whole, core = whole_and_core(stack, rounds)
            name = f"{suite.name}{', hybrid' if group == HYBRID else ''}"
            print(f"{name:<38}{1e6 * whole:>8.0f}{1e6 * core:>9.0f}{1 - core / whole:>8.0%}")


if __name__ == "__main__":
    main()
