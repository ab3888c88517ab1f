"""Vectors and recordings of others, kept beside the repository and not in it."""

from pathlib import Path

_ROOT = Path(__file__).parents[2]


def shared(name: str) -> Path:
    """Where such a file would be; a test that needs it is skipped where it is not."""
    candidates = [_ROOT / up / "shared" / name for up in ("..", "../..")]
    return next((path for path in candidates if path.exists()), candidates[0]).resolve()
