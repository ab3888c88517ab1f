"""Logs that machines read."""

from __future__ import annotations

import json
import logging

from meterseal.collection.logs import JsonLines


def test_a_line_is_one_object_whatever_the_message_says() -> None:
    record = logging.LogRecord(
        "meterseal.station", logging.WARNING, "x.py", 1, "refused %s\n电", ('"quoted"',), None
    )
    line = JsonLines().format(record)
    assert "\n" not in line
    fields = json.loads(line)
    assert (fields["level"], fields["logger"]) == ("warning", "meterseal.station")
    assert fields["message"] == 'refused "quoted"\n电'
    assert fields["time"].endswith("+00:00")


def test_an_error_keeps_its_trace() -> None:
    error = ValueError("what went wrong")
    info = (type(error), error, None)
    record = logging.LogRecord("x", logging.ERROR, "x.py", 1, "failed", (), info)
    assert "what went wrong" in json.loads(JsonLines().format(record))["error"]
