"""Long runs of altered handshakes: `make fuzz SECONDS=60`; each run goes on where the last ended.

The number of handshakes so far stands in build/fuzz-handshakes. A handshake that breaks a promise
is named by its number; `support.mutations.altered(number)` runs it again.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from pathlib import Path

HERE = Path(__file__).parent
COUNT = HERE.parents[1] / "build" / "fuzz-handshakes"
sys.path.insert(0, str(HERE.parent))


def main() -> int:
    from meterseal.errors import InternalError
    from support.mutations import altered, check

    end = time.monotonic() + int(sys.argv[1])
    number = first = int(COUNT.read_text()) if COUNT.exists() else 0
    kinds: Counter[str] = Counter()
    failed: list[int] = []
    while time.monotonic() < end:
        try:
            outcome = altered(number)
            check(outcome)
            kinds[outcome.kind] += 1
        except (AssertionError, InternalError) as error:
            failed.append(number)
            print(f"handshake {number}: {error}")  # noqa: T201
        number += 1
    COUNT.parent.mkdir(exist_ok=True)
    COUNT.write_text(str(number))
    print(f"handshakes {first} to {number - 1}: {dict(kinds.most_common())}; failed: {failed}")  # noqa: T201
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
