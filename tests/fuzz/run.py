"""Long runs of one decoder or of all under atheris.

    make fuzz-python SECONDS=60 DECODER=certificate

atheris is not among the development requirements: the command installs it. What fails is written to
tests/fuzz/corpus as `<decoder>--<digest>`, where `make test` replays it from then on.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))


def main() -> int:
    seconds, *names = sys.argv[1:]
    if len(names) == 1 and names[0].startswith("only:"):
        return fuzz(names[0].removeprefix("only:"), int(seconds))
    from support.decoders import decoders

    names = names or sorted(decoders())
    share = max(1, int(seconds) // len(names))
    failed = [
        name
        for name in names
        if subprocess.run(
            [sys.executable, __file__, str(share), f"only:{name}"], check=False
        ).returncode
    ]
    print(f"{len(names)} decoders, {share} s each; failed: {', '.join(failed) or 'none'}")  # noqa: T201
    return bool(failed)


def fuzz(name: str, seconds: int) -> int:
    import atheris

    with atheris.instrument_imports(include=["meterseal"]):
        from support.decoders import decoders
    decoder = decoders()[name]

    def test_one_input(data: bytes) -> None:
        try:
            decoder.survives(data)
        except Exception:
            digest = hashlib.sha256(data).hexdigest()[:12]
            (HERE / "corpus" / f"{name}--{digest}").write_bytes(data)
            raise

    with tempfile.TemporaryDirectory() as folder:
        for number, seed in enumerate(decoder.seeds):
            (Path(folder) / str(number)).write_bytes(seed)
        options = [f"-max_total_time={seconds}", "-max_len=4096", "-verbosity=0", "-timeout=5"]
        atheris.Setup(
            [sys.argv[0], *options, f"-artifact_prefix={folder}/", folder], test_one_input
        )
        atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(main())
