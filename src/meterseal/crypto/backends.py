"""Which implementation of the primitives is in use: for measurements and attacks on each."""

from meterseal._core import available_backends, backend, force_backend

__all__ = ["available_backends", "backend", "force_backend"]
