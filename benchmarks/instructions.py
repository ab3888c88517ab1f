"""Print how many instructions the core spends on each work, by callgrind, and what has changed.

Counts do not depend on what else the machine does. `instructions.json` holds those that were kept;
the exit code is 1 if any is more than `--tolerance` above: keys and nonces, which are new in each
run, move a count by up to 3 %. `--keep` writes today's.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from contestants.programs import core_under_valgrind

KEPT = Path(__file__).with_suffix(".json")
REPEATED = {
    "sm2-keygen": 20,
    "sm2-sign": 20,
    "sm2-verify": 20,
    "sm2-verify-prepared": 20,
    "sm2-ecdh": 20,
    "sm2-encrypt": 20,
    "sm2-decrypt": 20,
    "sm3/64": 100,
    "sm3/16384": 20,
    "sm4-gcm/64": 100,
    "sm4-gcm/16384": 20,
    "sm4-ctr/16384": 20,
    "sm4-cbc-decrypt/16384": 20,
}


def main() -> int:
    """Count, print, compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keep", action="store_true", help="write the counts to instructions.json")
    parser.add_argument("--tolerance", type=float, default=0.1, help="what is no regression")
    arguments = parser.parse_args()
    if shutil.which("valgrind") is None:
        parser.error("needs valgrind: `make peers` installs it")
    program = str(core_under_valgrind())
    kept: dict[str, dict[str, int]] = json.loads(KEPT.read_text("utf-8")) if KEPT.exists() else {}
    counts = {backend: of_backend(program, backend) for backend in ("x86-64", "portable")}
    grown = []
    for backend, works in counts.items():
        print(f"\ninstructions a call, {backend}")
        for work, count in works.items():
            before = kept.get(backend, {}).get(work)
            change = f"{count / before - 1:+8.1%}" if before else ""
            print(f"  {work:<24}{count:>12,}{change}")
            if before and count > before * (1 + arguments.tolerance):
                grown.append(f"{work} on {backend}")
    if arguments.keep:
        KEPT.write_text(json.dumps(counts, indent=1) + "\n", encoding="utf-8")
    elif grown:
        print(f"more than before: {', '.join(grown)}", file=sys.stderr)
        return 1
    return 0


def of_backend(program: str, backend: str) -> dict[str, int]:
    """Instructions of one call of each work, counted on all cores."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        counts = pool.map(partial(of_work, program, backend), REPEATED)
        return dict(zip(REPEATED, counts, strict=True))


def of_work(program: str, backend: str, work: str) -> int:
    """Instructions of one call: what more calls cost beyond fewer."""
    repeated = REPEATED[work]
    few, many = (executed(program, work, backend, times) for times in (1, 1 + repeated))
    return (many - few) // repeated


def executed(program: str, work: str, backend: str, times: int) -> int:
    """All instructions of a run."""
    done = subprocess.run(
        [
            "valgrind",
            "--tool=callgrind",
            "--callgrind-out-file=/dev/null",
            program,
            work,
            str(times),
        ],
        env={"METERSEAL_BACKEND": backend},
        capture_output=True,
        text=True,
        check=True,
    )
    found = re.search(r"Collected : (\d+)", done.stderr)
    if found is None:
        raise RuntimeError(done.stderr)
    return int(found[1])


if __name__ == "__main__":
    sys.exit(main())
