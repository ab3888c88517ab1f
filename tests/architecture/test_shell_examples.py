"""What README and guides show of a shell and of settings is true: commands run, files load.

Commands are given page by page. One that cannot run here stands in `ONLY_READ` with the reason;
then at least its program knows every option, and every file of ours that it names is there.
"""

from __future__ import annotations

import asyncio
import re
import subprocess
import tomllib
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
import tomli_w
import typer.main
from typer.core import TyperGroup

from meterseal.cli.main import app
from meterseal.collection.config import load_settings
from meterseal.collection.display.api import router
from meterseal.collection.modbus import load_map
from meterseal.collection.station.registry import load_registry
from meterseal.collection.workplace import Plan, prepare
from meterseal.lab.attack import catalogue
from support.markdown import (
    CONSOLE,
    INDENTED,
    PAGES,
    ROOT,
    Command,
    blocks,
    commands,
    name_of,
    quoted,
)
from support.pages import run
from support.shell import Shell
from support.whole_system import stored_count, until

if TYPE_CHECKING:
    from pathlib import Path

LANGUAGES = {CONSOLE, INDENTED, "python", "toml", "text"}
LONG = "runs for minutes"
MEASURES = "measures for minutes, on a quiet machine"
SUITE = "needs a suite that is no part of the repository"
REGISTRY = "would fetch packages"
ONLY_READ = {
    "make demo": "runs for more than a minute; tests/cli/test_session.py runs its session",
    "make test": "would run this test",
    "make lab": LONG,
    "meterseal lab attack": "runs for two minutes; tests/lab/attack runs every attack",
    "meterseal lab attack replay curve-points": "tests/lab/attack runs both",
    "meterseal lab attack --json range.json": "runs for two minutes",
    "meterseal lab attack --target 192.0.2.7:443 --protocol tls12-sm --ca roots.pem"
    " --server-name station.example": "nobody is there; tests/lab/attack/test_outside.py",
    "meterseal lab experiment --out lab-out": LONG,
    "meterseal lab random": LONG,
    "meterseal lab random --generator ours --samples 1000": "runs for an hour",
    "meterseal lab random --file samples.bin": LONG,
    'meterseal lab random --command "openssl rand 25000000"': LONG,
    "pip install 'meterseal[collection]'": REGISTRY,
    "pip install 'meterseal[lab]'": REGISTRY,
    "curl --user vera http://127.0.0.1:8080/api/meters": "asks a person for the password",
    "METERSEAL_BOGO_RUNNER=.../ssl/test/runner pytest -s -m slow tests/peers/test_bogo.py": SUITE,
    "METERSEAL_TLSFUZZER=... METERSEAL_TLSFUZZER_PYTHON=... pytest -m slow"
    " tests/peers/test_tlsfuzzer.py": SUITE,
    "METERSEAL_LIMBO=.../limbo.json pytest tests/peers/test_limbo.py": SUITE,
    "METERSEAL_KONA=.../jars METERSEAL_GOTLCP=.../peer pytest tests/peers/test_kona.py"
    " tests/peers/test_gotlcp.py": SUITE,
    "python benchmarks/connections.py --sockets 10000 --loopback 256"
    " --json build/bench.json": MEASURES,
    'python benchmarks/connections.py --cold --held 0 --only "TLS_SM4_GCM_SM3, curveSM2"': MEASURES,
    "python benchmarks/python_share.py": MEASURES,
    "python benchmarks/primitives.py --chart speed.svg": MEASURES,
    "python benchmarks/primitives.py --only sm2": MEASURES,
    "python benchmarks/primitives.py --rounds 25 --only sm4": MEASURES,
    "python benchmarks/primitives.py --rounds 25 --only sm3": MEASURES,
    "python benchmarks/instructions.py": MEASURES,
    "METERSEAL_BACKEND=x86-64 valgrind --tool=callgrind --callgrind-out-file=build/sign.out"
    " target/valgrind/release/examples/contestant sm2-sign 200": "needs what instructions.py built",
    "callgrind_annotate --inclusive=yes build/sign.out": "needs what the line before it wrote",
    "python benchmarks/pipeline.py --json build/pipeline.json": MEASURES,
    "python benchmarks/pipeline.py --rounds 0 --steady 0 --backlog 0 --crowd 10000": MEASURES,
}
UP = "meterseal up"
COLLECTION = "docs/guide/collection.md"
RUNS_UP = "docs/guide/quick-start.md"  # one alone: it takes the usual ports where they are free
OTHERS = [ROOT / "SECURITY.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"]
CONTEXTS = {f"meterseal {what} 1" for what in ("statement", "receipt", "evidence")}  # of signatures


def runs(page: Path, command: Command) -> bool:
    return command.line not in ONLY_READ and (
        not command.line.startswith(UP) or name_of(page) == RUNS_UP
    )


RUN = [page for page in PAGES if any(runs(page, command) for command in commands(page))]
READ = sorted({command.line for page in PAGES for command in commands(page)})


def test_every_block_says_what_it_is() -> None:
    for page in PAGES:
        assert {language for language, _ in blocks(page)} <= LANGUAGES, name_of(page)
        assert page.read_text(encoding="utf-8").count("\n```") % 2 == 0, name_of(page)


def test_every_command_that_is_only_read_stands_on_a_page() -> None:
    assert set(ONLY_READ) <= set(READ)


@pytest.mark.parametrize("page", RUN, ids=name_of)
def test_commands_run_in_order(page: Path, tmp_path: Path) -> None:
    (tmp_path / "readings.csv").write_text("time;active_power_kW\n00:00;1.5\n")
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    if name_of(page) == COLLECTION:
        prepare(tmp_path, Plan(), datetime.now(UTC))
    with Shell(tmp_path) as shell:
        for command in commands(page):
            if runs(page, command):
                shell.give(command)
        if name_of(page) == RUNS_UP:
            settings = load_settings(tmp_path / "meterseal-system/meterseal.toml", {})
            asyncio.run(until(lambda: stored_count(settings) > 0))
        shell.end()


@pytest.mark.parametrize("line", READ)
def test_programs_know_what_they_are_told(line: str) -> None:
    words = [word for word in Command(line).words if not re.match(r"\w+=", word)]
    for variable in re.findall(r"\b(METERSEAL_[A-Z]+(?:_[A-Z]+)*)=", line):
        assert is_read(variable), variable
    for word in words:
        if re.match(r"(tests|benchmarks|examples)/", word):
            assert (ROOT / word).is_file(), word
    CHECKS[words[0]](words[1:])


def is_read(variable: str) -> bool:
    """Whether the code or a test asks for the variable."""
    places = [*(ROOT / "src").rglob("*.py"), *(ROOT / "tests").rglob("*.py")]
    places += (ROOT / "rust").rglob("*.rs")
    return any(f'"{variable}"' in place.read_text(encoding="utf-8") for place in places)


def meterseal_knows(words: list[str], *, whole: bool = True) -> None:
    """Parse as the command would; of what is not `whole`, only that each option is known."""
    command: Any = typer.main.get_command(app)
    context = command.make_context("meterseal", ["--help"], resilient_parsing=True)
    while isinstance(command, TyperGroup) and words and not words[0].startswith("-"):
        assert words[0] in command.commands, words[0]
        command, words = command.commands[words[0]], words[1:]
    known = {name for each in command.get_params(context) for name in each.opts}
    assert {word for word in words if word.startswith("--")} <= known
    if whole:
        with command.make_context("meterseal", words) as parsed:
            catalogue.find(parsed.params.get("names") or [])


def make_knows(words: list[str]) -> None:
    """Targets are there, variables are read, and the commands behind the targets are right."""
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    for word in words:
        name, separator, _ = word.partition("=")
        assert re.search(rf"^{name} \?=" if separator else rf"^{name}:", text, re.MULTILINE), word
    done = subprocess.run(
        ["make", "-n", *words], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for line in done.stdout.replace("\\\n", " ").splitlines():
        if "/bin/meterseal " in line:
            meterseal_knows(Command(line).words[1:])


def python_knows(words: list[str]) -> None:
    program = (ROOT / words[0]).read_text(encoding="utf-8")
    for option in words[1:]:
        assert not option.startswith("--") or f'"{option}"' in program, option


def curl_finds(words: list[str]) -> None:
    _, path = re.fullmatch(r"http://127.0.0.1:(8080)(/.*)", words[-1]).groups()  # type: ignore[union-attr]
    assert path in {getattr(route, "path", None) for route in router.routes}


def pip_finds(words: list[str]) -> None:
    """The extra is one of the package's."""
    _, name, extra = re.split(r"[\s\[\]]", " ".join(words))[:3]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert name == project["name"]
    assert extra in project["optional-dependencies"]


def nothing(words: list[str]) -> None:
    """Of tools of others only what they are told of ours is looked at."""
    assert words


CHECKS = {
    "meterseal": meterseal_knows,
    "make": make_knows,
    "python": python_knows,
    "curl": curl_finds,
    "pip": pip_finds,
    "pytest": nothing,
    "valgrind": nothing,
    "callgrind_annotate": nothing,
}


@pytest.mark.parametrize("page", [*PAGES, *OTHERS], ids=name_of)
def test_commands_in_running_text_are_known(page: Path) -> None:
    for text in quoted(page):
        words = text.replace("|passwd|list", "").split()
        if words[0] == "make" and words[1:]:
            make_knows([word for word in words[1:] if not word.endswith("...")])
        if words[0] == "meterseal" and words[1:] and text not in CONTEXTS:
            meterseal_knows(words[1:], whole=False)


# Settings


TOML = [
    pytest.param(name_of(page), text, id=f"{page.name}-{number}")
    for page in PAGES
    for number, (language, text) in enumerate(blocks(page))
    if language == "toml"
]


@pytest.mark.parametrize(("page", "text"), TOML)
def test_settings_load(page: str, text: str, tmp_path: Path) -> None:
    """A part of the file of settings is laid over that of a whole system and checked."""
    part = tomllib.loads(text)
    if page == "docs/guide/field-protocols.md":
        assert load_map(text).name == part["name"]
    elif "meter" in part:
        assert load_registry(text).meters
    else:
        config = prepare(tmp_path, Plan(), datetime.now(UTC))
        whole = laid_over(tomllib.loads(config.read_text(encoding="utf-8")), part)
        config.write_text(tomli_w.dumps(whole), encoding="utf-8")
        for named in re.findall(r'"((?:tls|pki|secrets)/[\w./-]+)"', text):
            (tmp_path / named).parent.mkdir(exist_ok=True)
            (tmp_path / named).touch()
        code, said, errors = run(f"meterseal config check --config {config}", tmp_path)
        assert code == 0, errors
        assert b"is right" in said


def laid_over(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    both = dict(below)
    for key, value in above.items():
        both[key] = laid_over(both.get(key, {}), value) if isinstance(value, dict) else value
    return both
