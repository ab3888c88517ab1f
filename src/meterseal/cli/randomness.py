"""`meterseal lab random`: the fifteen tests of GM/T 0005-2021, and what bad nonces cost."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from meterseal.cli.options import Json, print_json
from meterseal.lab import require_packages

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from meterseal.lab.random import Attempt, Report, Source, Trial

T = TypeVar("T")


def random(
    file: Annotated[
        Path | None, typer.Option("--file", help="Measure the bytes of this file.")
    ] = None,
    command: Annotated[
        str | None, typer.Option("--command", help="Measure what this command writes.")
    ] = None,
    generator: Annotated[
        str | None, typer.Option("--generator", help="Measure one generator, by its name.")
    ] = None,
    samples: Annotated[int, typer.Option("--samples", min=1, help="Samples of each source.")] = 200,
    bits: Annotated[
        int, typer.Option("--bits", help="Bits of a sample: 1000000, or 20000 for twelve tests.")
    ] = 1_000_000,
    workers: Annotated[
        int, typer.Option("--workers", min=0, help="Processes; 0: one for each core.")
    ] = 0,
    as_json: Json = False,
) -> None:
    """Make the fifteen tests of GM/T 0005-2021.

    Without a source: of our generator, of bad ones that must fail, and of one that passes although
    everybody can foretell it; then private keys are taken from bad nonces, and the same is tried
    on ours. The exit code is 0 if all is as it should be.
    """
    require_packages()
    from meterseal.lab.random import attack_all, measure, trials

    if sum(option is not None for option in (file, command, generator)) > 1:
        raise typer.BadParameter("give one of --file, --command and --generator")
    source = _source(file, command, generator)
    if source is not None:
        report = measure(*source, samples=samples, length=bits, workers=workers)
        print_json(_facts(report)) if as_json else _print_rows(report)
        raise typer.Exit(0 if report.is_good else 1)
    show = not as_json
    measured = trials(samples=samples, length=bits, workers=workers)
    judged = list(_shown(measured, _print_trial, wanted=show))
    attempts = list(_shown(attack_all(), _print_attempt, wanted=show))
    if as_json:
        reports = [{**_facts(trial.report), "must_pass": trial.must_pass} for trial in judged]
        print_json({"generators": reports, "attacks": [asdict(one) for one in attempts]})
    right = all(one.is_as_expected for one in judged) and all(
        one.is_as_expected for one in attempts
    )
    raise typer.Exit(0 if right else 1)


def _shown(all_of_them: Iterator[T], show: Callable[[T], None], wanted: bool) -> Iterator[T]:
    """Pass them on, each shown as it comes."""
    for one in all_of_them:
        if wanted:
            show(one)
        yield one


def _source(
    file: Path | None, command: str | None, generator: str | None
) -> tuple[str, Source] | None:
    from meterseal.lab.random import by_name, of_command, of_file

    if file is not None:
        return str(file), lambda size: of_file(file, size)
    if command is not None:
        return command, lambda size: of_command(command, size)
    return (generator, by_name(generator)) if generator is not None else None


def _facts(report: Report) -> dict[str, object]:
    return {**asdict(report), "failed": report.failed, "good": report.is_good}


def _print_rows(report: Report) -> None:
    print(f"{report.source}: {report.samples} samples of {report.length} bits")
    print(f"a value passes with {report.required} good samples and a uniformity of 0.0001")
    for row in report.rows:
        mark = "good" if row.is_good else "BAD"
        name = f"{row.number:2} {row.test} {row.setting}"
        print(f"{name:<44} {row.passed:5}  uniformity {row.uniformity:.6f}  {mark}")
    print(f"{report.tests - len(report.failed)}/{report.tests} tests passed")


def _print_trial(trial: Trial) -> None:
    report = trial.report
    if report.source == "ours":
        _print_rows(report)
    verdict = f"caught by {', '.join(report.failed)}" if report.failed else "passes all tests"
    second = ", measured a second time" if trial.is_second else ""
    surprise = "" if trial.is_as_expected else "  NOT AS EXPECTED"
    print(f"{report.source}{second}: {verdict}{surprise}", flush=True)


def _print_attempt(attempt: Attempt) -> None:
    outcome = "key found" if attempt.key_found else "no key"
    seconds = f"{attempt.seconds:.1f} s"
    line = f"{attempt.attack:<25} {attempt.victim:<42} {attempt.tried:6} tried  {seconds:>7}"
    print(f"{line}  {outcome}{'' if attempt.is_as_expected else '  NOT AS EXPECTED'}", flush=True)
