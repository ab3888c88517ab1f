"""The rooms of the façade: our engine behind the shapes of Python's `ssl` module."""
