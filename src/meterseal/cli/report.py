"""Steps of a session, for people or for machines."""

from __future__ import annotations

import json
import sys
import threading

_WIDTH = 26


class Report:
    """Prints each step at once, whole lines only, from any thread."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self._lock = threading.Lock()

    def step(self, name: str, **facts: object) -> None:
        """One step with its facts."""
        if self._as_json:
            line = json.dumps({"step": name, **facts}, ensure_ascii=False)
        else:
            shown = "  ".join(f"{key.replace('_', ' ')} {value}" for key, value in facts.items())
            line = f"{name:<{_WIDTH}}  {shown}".rstrip()
        with self._lock:
            sys.stdout.write(line + "\n")
            sys.stdout.flush()
