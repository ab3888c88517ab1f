"""Who takes part in `primitives.py`."""
