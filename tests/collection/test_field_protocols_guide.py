"""What the guide to the field protocols says is true: its lines run, its tables are the code's."""

import re
import subprocess
import sys
from itertools import groupby
from pathlib import Path

from meterseal.collection.dlt645.identifiers import FAMILIES, Family
from meterseal.collection.dlt645.slave import LONGEST_ANSWER
from meterseal.collection.dlt645.values import Bcd, Clock, Day, Digits, Field, Moment, Text, Word
from meterseal.collection.modbus import load_map

GUIDE = Path(__file__).parents[2] / "docs/guide/field-protocols.md"
START, END = (
    "<!-- identifiers: python tests/collection/test_field_protocols_guide.py -->\n",
    "<!-- /identifiers -->",
)


def form(field: Field) -> str:
    match field:
        case Bcd(size, decimals, signed):
            whole = "X" * (2 * size - decimals)
            text = ("±" if signed else "") + whole + ("." + "X" * decimals if decimals else "")
        case Moment(size):
            text = "YYMMDDhhmmss"[: 2 * size]
        case Digits(size):
            text = f"{2 * size} digits"
        case Word(size):
            text = f"{8 * size} bits"
        case Text(size):
            text = f"ASCII {size}"
        case _:
            text = {Day(): "YYMMDDWW", Clock(): "hhmmss"}[field]
    return text


def places(members: range) -> str:
    first, last = members[0], members[-1]
    return f"{first:02X}" if first == last else f"{first:02X}..{last:02X}"


def row(family: Family) -> str:
    runs = [(text, len(list(same))) for text, same in groupby(map(form, family.fields))]
    text = ", ".join(text if count == 1 else f"{count} of {text}" for text, count in runs)
    text += ", repeated" if family.repeats else ""
    code = f"{family.group >> 8:02X} {family.group & 0xFF:02X} {places(family.di1)}"
    return f"| {code} {places(family.di0)} | {family.name} | {text} | {family.unit} |"


def table() -> str:
    head = ["| DI3 DI2 DI1 DI0 | what | format | unit |", "|---|---|---|---|"]
    return "\n".join([*head, *map(row, FAMILIES)]) + "\n"


def blocks(language: str) -> list[str]:
    pattern = rf"^```{language}\n(.*?)^```"
    return re.findall(pattern, GUIDE.read_text(), flags=re.MULTILINE | re.DOTALL)


def test_the_table_of_identifiers_is_that_of_the_code() -> None:
    assert GUIDE.read_text().split(START)[1].split(END)[0] == table()


def test_the_example_runs_and_prints_what_it_says() -> None:
    (example,), (printed, *_) = blocks("python"), blocks("text")
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", example], capture_output=True, text=True, check=False
    )
    assert (done.stderr, done.stdout) == ("", printed)


def test_the_register_map_is_one() -> None:
    (example,) = blocks("toml")
    assert load_map(example).name == "my meter"


def test_the_longest_answer_is_as_long_as_it_says() -> None:
    assert f"{LONGEST_ANSWER:,} bytes" in GUIDE.read_text()


if __name__ == "__main__":
    before, rest = GUIDE.read_text().split(START)
    GUIDE.write_text(before + START + table() + END + rest.split(END)[1])
