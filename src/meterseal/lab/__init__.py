"""The laboratory: repeats the experiment of the design, measures randomness, attacks what we built.

It stands on top of everything and nothing of the product imports it. What it computes with comes
with the extra `meterseal[lab]`.
"""

from importlib.util import find_spec

from meterseal.errors import UsageError

__all__ = ["require_packages"]

_PACKAGES = ("aiomqtt", "cryptography", "fpylll", "jinja2", "matplotlib", "numpy", "scipy")


def require_packages() -> None:
    """Raise UsageError if a package of the extra is missing, naming it."""
    missing = [name for name in _PACKAGES if find_spec(name) is None]
    if missing:
        raise UsageError(f"not installed: {', '.join(missing)}; pip install 'meterseal[lab]'")
