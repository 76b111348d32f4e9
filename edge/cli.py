"""`brickgate`: the machine's command line. Parsing only; each command's work is in a module of its own."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from edge.entry import run_commands, tell
from edge.errors import InputError
from edge.installed import MACHINE, journal_of

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
DEFAULT_EXAMPLE = "west-18"

Config = Annotated[str, typer.Option("--config", help="machine.yaml, or a shipped example's name.")]
Bins = Annotated[str | None, typer.Option("--bins", help="bins.yaml; default: the one beside the machine.yaml.")]
Bundle = Annotated[str | None, typer.Option("--bundle", help="Model bundle: a shipped name or a folder.")]
AsJson = Annotated[bool, typer.Option("--json", help="JSON on standard output instead of tables.")]
Video = Annotated[Path | None, typer.Option("--video", help="Write what the camera saw, with verdicts (.mp4, .avi).")]
CaptureFolder = Annotated[Path | None, typer.Option("--capture", help="Folder to keep each part's looks in, labelled.")]
JournalFile = Annotated[Path | None, typer.Option("--journal", help="Where each part is recorded.")]


def _machine_files(config: str, bins: str | None) -> tuple[str, str]:
    """The two YAML files of a machine, from a path or an example's name."""
    from edge.config import example, examples

    if config in examples() or not ("/" in config or Path(config).suffix or Path(config).exists()):
        folder = example(config)
        return str(folder / "machine.yaml"), bins or str(folder / "bins.yaml")
    return config, bins or str(Path(config).parent / "bins.yaml")


@app.command()
def simulate(
    config: Config = DEFAULT_EXAMPLE,
    bins: Bins = None,
    bundle: Bundle = None,
    parts: Annotated[int, typer.Option(min=1, max=10_000_000, help="Parts to feed.")] = 200,
    ppm: Annotated[float | None, typer.Option(min=0.1, max=1000, help="Parts a minute; default as configured.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of every random draw of the machine and the parts.")] = 1,
    realtime: Annotated[bool, typer.Option("--realtime", help="As fast as the real machine, not faster.")] = False,
    journal: JournalFile = None,
    video: Video = None,
    capture: CaptureFolder = None,
    fault: Annotated[
        list[str] | None, typer.Option("--fault", metavar="KIND[@FROM[-UNTIL]]", help="A fault, by second; or: list.")
    ] = None,
    hidden: Annotated[
        int | None, typer.Option("--hidden", min=0, help="The machine is not as machine.yaml says: number N of such.")
    ] = None,
    calibration: Annotated[
        Path | None, typer.Option("--calibration", help="calibration.yaml that was measured of that machine.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Runs the whole machine in simulation: parts on a belt, the network, the gates, the bins."""
    from edge.machine import read_plans
    from edge.signals import Interrupted, noted
    from edge.sim.fault_orders import list_faults, read_orders
    from edge.simulate import SimulateOptions, run_simulation
    from edge.simulate_result import print_result

    if fault == ["list"]:
        typer.echo("\n".join(list_faults()))
        return
    faults = read_orders(fault or ())
    if calibration is not None and hidden is None:
        raise InputError("--calibration: without --hidden the machine is what machine.yaml says: nothing was measured")
    if calibration is not None and not calibration.is_file():
        made_by = f"brickgate-calibrate all --config MACHINE.yaml --simulate {hidden} --to {calibration}"
        raise InputError(f"{calibration} is not there: {made_by}")
    # A machine that is what the YAML says has nothing to correct.
    plans = read_plans(*_machine_files(config, bins), bundle, tell, measured=calibration or False)
    rate = ppm or plans.config.feeder.parts_per_min
    options = SimulateOptions(parts, rate, seed, realtime, journal, video, capture, faults, hidden)
    with noted() as stop, _progress("sorting", parts, hidden=as_json) as advance:
        result = run_simulation(plans, options, tell, advance, stop)
    if stop.signal is not None:
        raise Interrupted(stop.signal)
    if as_json:
        typer.echo(json.dumps(result.to_json()))
    else:
        print_result(result, plans.bins, Console())
    raise typer.Exit(1 if result.unrecorded else 0)


@app.command()
def replay(
    recording: Annotated[Path, typer.Argument(metavar="FRAMES|VIDEO", help="A folder of pictures, or a video.")],
    config: Config,
    bins: Bins = None,
    bundle: Bundle = None,
    video: Video = None,
    as_json: AsJson = False,
) -> None:
    """Runs recorded frames through the machine, with simulated gates."""
    from edge.machine import open_accelerator, read_plans
    from edge.replay import print_parts
    from edge.replay import replay as run_replay

    plans = read_plans(*_machine_files(config, bins), bundle, tell)
    with open_accelerator(plans, tell) as accelerator:
        result = run_replay(plans, accelerator, recording, video)
    if as_json:
        typer.echo(json.dumps(result.to_json(), ensure_ascii=False))
    else:
        print_parts(result, Console())


@app.command()
def run(
    config: Config,
    bins: Bins = None,
    bundle: Bundle = None,
    journal: JournalFile = None,
    capture: CaptureFolder = None,
) -> None:
    """Runs the real machine until Ctrl-C."""
    from edge.captures import capturing
    from edge.machine import read_plans
    from edge.parts_record import open_journal
    from edge.run import run as run_machine
    from edge.signals import noted

    plans = read_plans(*_machine_files(config, bins), bundle, tell)
    with (
        noted() as stop,
        open_journal(plans.config.journal, journal, tell) as written,
        capturing(capture, plans, tell) as observe,
    ):
        report = run_machine(plans, written, tell, stop, observe)
    dropped = f" ({report.dropped_frames} dropped)" if report.dropped_frames else ""
    pictures = written.pictures_in_words()
    typer.echo(f"{report.frames} frames{dropped}, {report.parts_in_words()}{pictures}, recorded in {written.path}")
    if gates := report.gates_in_words():
        typer.echo(gates)
    if report.sensors:
        typer.echo(report.sensors)
    tell(f"error: {report.reason}" if report.fault else report.reason)
    unrecorded = written.unsaved + written.lost
    raise typer.Exit(1 if report.fault or unrecorded else stop.exit_code)


# These two parse their own words (edge/start.py), which is where they usually begin.
_AS_TYPED: dict[str, Any] = {"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []}


@app.command(context_settings=_AS_TYPED)
def service(context: typer.Context) -> None:
    """What systemd runs: `run`, and safe mode where that cannot be."""
    from edge.service_command import main as serve

    raise typer.Exit(serve(context.args))


@app.command("status-page", context_settings=_AS_TYPED)
def status_page(context: typer.Context) -> None:
    """Serves the read-only status page to the local network."""
    from edge.web.command import main as serve

    raise typer.Exit(serve(context.args))


@app.command()
def still(config: Config = str(MACHINE)) -> None:
    """Switches off belt and feeder and moves the gates to rest, after a run that was killed."""
    from edge.clock import MonotonicClock
    from edge.config.load import load_machine
    from edge.still import make_still

    if not make_still(load_machine(_machine_files(config, None)[0]), MonotonicClock(), tell):
        raise typer.Exit(1)


@app.command()
def classify(
    pictures: Annotated[
        list[Path] | None, typer.Argument(metavar="PICTURE…", help="Pictures of one part each.")
    ] = None,
    bundle: Annotated[str, typer.Option("--bundle", help="Model bundle: a shipped name or a folder.")] = "universal",
    manifest: Annotated[Path | None, typer.Option("--manifest", help="CSV: file, optional group, mm_per_px.")] = None,
    mm_per_px: Annotated[float | None, typer.Option("--mm-per-px", help="Scale of the pictures, when known.")] = None,
    top: Annotated[int, typer.Option("--top", min=1, max=1000, help="How many parts to name.")] = 5,
    model: Annotated[Path | None, typer.Option("--model", help="Any TFLite classifier instead of a bundle.")] = None,
    labels: Annotated[Path | None, typer.Option("--labels", help="Its label file, one label a line.")] = None,
    prior: Annotated[
        str | None, typer.Option("--prior", help="How common parts are: common, uniform, or a CSV of part,weight.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Names the part and its colour in pictures."""
    from edge.classify import classify_pictures, open_recogniser, print_json, print_table
    from edge.inference.picture import read_manifest, single_pictures

    if not pictures and not manifest:
        raise InputError("nothing to classify: name pictures, or a list with --manifest")
    if mm_per_px is not None and not 0 < mm_per_px < 1000:
        raise InputError(f"--mm-per-px is {mm_per_px}: give millimetres per pixel, such as 0.2")
    groups = single_pictures(pictures or [], mm_per_px)
    if manifest:
        groups += read_manifest(manifest, mm_per_px)
    with open_recogniser(bundle, model, labels, prior) as recogniser:
        answers = classify_pictures(groups, recogniser, top)
        code = print_json(answers, sys.stdout, sys.stderr) if as_json else print_table(answers, Console(), sys.stderr)
    raise typer.Exit(code)


@app.command("check-config")
def check_config(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="F…", help="machine.yaml and bins.yaml, in any order; a calibration.yaml goes with them."
        ),
    ],
    bundle: Bundle = None,
) -> None:
    """Says what is wrong with a configuration, by file, line and key."""
    from edge.config.command import check_files

    raise typer.Exit(check_files(files, bundle, typer.echo))


@app.command()
def bins(
    config: Config,
    bins_file: Bins = None,
    bundle: Bundle = None,
    journal: JournalFile = None,
    emptied: Annotated[list[str] | None, typer.Option("--emptied", help="A bin that has just been emptied.")] = None,
) -> None:
    """Says how full the bins are, and takes note of those that were emptied; a run that is on goes by it."""
    from edge.catalogue.spelling import did_you_mean
    from edge.machine import read_plans
    from edge.routing.fill import BinFill
    from edge.routing.fill_file import print_fill

    machine, bins_yaml = _machine_files(config, bins_file)
    plans = read_plans(machine, bins_yaml, bundle)
    for name in emptied or []:
        if name not in (known := plans.bins.all_bins):
            raise InputError(f"--emptied {name}: no such bin{did_you_mean(name, known) or '; ' + ', '.join(known)}")
    file = journal or journal_of(Path(machine)) or Path(plans.config.journal.file)
    print_fill(file, BinFill(plans.bins, plans.catalogue, lambda line: None), emptied or [], typer.echo)


@app.command()
def doctor(
    config: Annotated[
        Path | None, typer.Option("--config", help="machine.yaml; default: the one in /etc/brickgate, if any.")
    ] = None,
) -> None:
    """Says what hardware and libraries are there, and what is missing; fails when the machine needs it."""
    from edge.hardware.doctor import System, inspect, is_lacking, print_checks

    checks = inspect(System(named=config))
    print_checks(checks, Console())
    raise typer.Exit(1 if is_lacking(checks) else 0)


@app.command()
def export(
    journal: Annotated[Path, typer.Option("--journal", help="A journal of run or simulate.")],
    output_format: Annotated[str, typer.Option("--format", help="csv or jsonl")] = "csv",
    pictures: Annotated[Path | None, typer.Option("--pictures", help="Folder to copy the parts' pictures to.")] = None,
) -> None:
    """Writes every part sorted as a table, to standard output."""
    from edge.journal.export import FORMATS, export_journal

    if output_format not in FORMATS:
        raise InputError(f"--format is '{output_format}': {' or '.join(FORMATS)} can be written")
    export_journal(journal, output_format, sys.stdout, pictures, tell)


@app.command()
def bench(
    bundle: Annotated[str, typer.Option("--bundle", help="Model bundle: a shipped name or a folder.")] = "universal",
    frames: Annotated[int, typer.Option(min=5, max=10_000, help="Frames measured for each number of parts.")] = 60,
    schedule: Annotated[bool, typer.Option("--schedule", help="Measure the planner instead.")] = False,
    parts: Annotated[int, typer.Option(min=10, max=1_000_000, help="For --schedule: parts at each rate.")] = 5000,
    seed: Annotated[int, typer.Option(min=0, help="For --schedule: of the arrivals.")] = 1,
    as_json: AsJson = False,
) -> None:
    """Measures what a frame costs, stage by stage, or how good the planner is."""
    if schedule:
        from edge import bench_schedule

        report = bench_schedule.run_bench(parts, seed)
        bench_schedule.print_report(report, sys.stdout, as_json=as_json)
        return
    from edge.bench import print_report, run_bench
    from edge.bundle.manifest import load_bundle
    from edge.hardware.tflite import CpuAccelerator

    loaded = load_bundle(bundle)
    accelerator = CpuAccelerator()
    accelerator.load(loaded.model)
    print_report(run_bench(accelerator, loaded, frames), sys.stdout, as_json=as_json)


@contextmanager
def _progress(what: str, total: int, hidden: bool) -> Iterator[Callable[[int], None]]:
    """A progress bar on standard error; gives a function that takes the number done."""
    columns = (TextColumn(what), BarColumn(), TextColumn("{task.completed}/{task.total}"), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), disable=hidden, transient=True) as bar:
        task = bar.add_task("", total=total)
        yield lambda done: bar.update(task, completed=done)


def main() -> None:
    """Entry point."""
    run_commands(app)


if __name__ == "__main__":
    main()
