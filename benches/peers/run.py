#!/usr/bin/env python3
"""Hearth beside other engines on the same log (W1, see w1.py): equal outputs, CPU seconds, events a CPU second.

    cargo build --release && python3 benches/peers/run.py --events 1M

Installs Bytewax, Pathway, DuckDB and (with a JDK) Apache Flink from PyPI, each into a virtual environment of its own, and
builds DBSP, the engine of Feldera, with cargo (many minutes the first time); what cannot be had is said and left out.
`hearth bench throughput` makes the log and measures Hearth and its plain loop; each peer then reads the same log in a process
of its own, of which start-up is a part. DuckDB reads Parquet, all others here CSV.

What the peers leave out of what Hearth does: events out of order and what they revise, duplicates, clocks that jump, bad
lines, shifts. DuckDB knows the gap rule alone. Flink's homes are in a map of its function, not in restartable state.
"""

import argparse
import glob
import json
import os
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

HERE = Path(__file__).resolve().parent
PACKAGES = ["bytewax", "pathway", "duckdb", "apache-flink"]
# Programs whose outputs must be those of Hearth.
EQUAL = ["python loop", "bytewax", "pathway", "flink", "dbsp"]


def install(folder):
    """By package: a Python that has it. Each has an environment of its own, for their dependencies do not agree."""
    there = {}
    for package in PACKAGES:
        python = folder / package / "bin" / "python"
        if not python.exists():
            venv.create(folder / package, with_pip=True)
        command = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", package]
        done = subprocess.run(command, capture_output=True, text=True, timeout=1200)
        if done.returncode == 0:
            there[package] = python
        else:
            lines = done.stderr.strip().splitlines() or ["no reason given"]
            print(f"SKIPPED {package}: it cannot be installed: {lines[-1]}", file=sys.stderr)
    return there


def flink(python, build):
    """The command of the Flink job, compiled against the jars that the package carries; `None` without a JDK."""
    find = "import pyflink, os; print(os.path.dirname(pyflink.__file__))"
    home = subprocess.run([python, "-c", find], capture_output=True, text=True, check=True).stdout.strip()
    jars = ":".join(glob.glob(home + "/lib/*.jar") + glob.glob(home + "/opt/flink-python*.jar"))
    try:
        subprocess.run(["javac", "-cp", jars, "-d", build, HERE / "FlinkPeer.java"], check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"SKIPPED flink: it needs a JDK 11 or 17 (javac): {error}", file=sys.stderr)
        return None
    opens = [f"--add-opens=java.base/java.{part}=ALL-UNNAMED" for part in ("util", "lang")]
    return ["java", *opens, "-cp", f"{build}:{jars}", "FlinkPeer"]


def dbsp(target):
    """The command of the DBSP program, built into `target`; `None` where it cannot be built."""
    command = ["cargo", "build", "--release", "--locked", "--manifest-path", HERE / "dbsp" / "Cargo.toml"]
    environment = dict(os.environ, CARGO_TARGET_DIR=str(target))
    try:
        done = subprocess.run(command, capture_output=True, text=True, env=environment)
    except OSError as error:
        print(f"SKIPPED dbsp: it needs cargo: {error}", file=sys.stderr)
        return None
    if done.returncode != 0:
        lines = [line for line in done.stderr.splitlines() if line.startswith("error")] or ["error: no reason given"]
        print(f"SKIPPED dbsp: it cannot be built: {lines[0]}", file=sys.stderr)
        return None
    return [target / "release" / "hearth-peer-dbsp"]


def measure(command):
    """Runs a peer: its outputs, CPU seconds (its children's included) and seconds."""
    began = os.times()
    environment = dict(os.environ, PATHWAY_THREADS="1", OMP_NUM_THREADS="1")
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
    ended = os.times()
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or ["no reason given"]
        raise RuntimeError(lines[-1])
    cpu = ended.children_user - began.children_user + ended.children_system - began.children_system
    return json.loads(done.stdout.strip().splitlines()[-1]), cpu, ended.elapsed - began.elapsed


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", default="1M", help="events of the log (1M)")
    parser.add_argument("--homes", default="10k", help="its homes (10k)")
    parser.add_argument("--runs", default="3", help="runs of Hearth and the plain loop; the median counts (3)")
    parser.add_argument("--hearth", type=Path, default=HERE.parents[1] / "target/release/hearth")
    parser.add_argument("--environment", type=Path, default=Path(tempfile.gettempdir()) / "hearth-peers")
    parser.add_argument("--json", type=Path, help="write the table as JSON")
    arguments = parser.parse_args()
    there = install(arguments.environment)
    with tempfile.TemporaryDirectory(prefix="hearth-peers-") as folder:
        folder = Path(folder)
        report = folder / "report.json"
        hearth = [arguments.hearth, "bench", "throughput", "--events", arguments.events, "--homes", arguments.homes]
        hearth += ["--input", "binary,csv,parquet", "--runs", arguments.runs, "--dir", folder, "--json", report]
        subprocess.run(hearth, check=True, stdout=subprocess.DEVNULL)
        runs = json.loads(report.read_text())["runs"]
        expected = {key: runs[0][key] for key in ("segments", "transitions")}
        events = runs[0]["events"]
        kinds = dict.fromkeys((run["what"], run["input"]) for run in runs)
        rows = []
        for what, source in kinds:
            same = [run for run in runs if (run["what"], run["input"]) == (what, source)]
            middle = lambda key: sorted(run[key] for run in same)[len(same) // 2]
            rows.append((f"{what}, {source}", middle("cpu_seconds"), middle("wall_seconds"), True))
        (csv,), (parquet,) = (glob.glob(f"{folder}/*.{end}") for end in ("csv", "parquet"))
        peers = {"python loop": [sys.executable, HERE / "loop_peer.py", csv]}
        for name, log in (("bytewax", csv), ("pathway", csv), ("duckdb", parquet)):
            if name in there:
                peers[name] = [there[name], HERE / f"{name}_peer.py", log]
        if "apache-flink" in there and (job := flink(there["apache-flink"], folder)):
            peers["flink"] = [*job, csv]
        if program := dbsp(arguments.environment / "dbsp"):
            peers["dbsp"] = [*program, csv]
        failed = False
        for name, command in peers.items():
            try:
                found, cpu, wall = measure(command)
            except RuntimeError as error:
                print(f"SKIPPED {name}: it failed: {error}", file=sys.stderr)
                continue
            equal = found == expected
            if name in EQUAL and not equal:
                print(f"{name} found {found}, Hearth {expected}", file=sys.stderr)
                failed = True
            rows.append((name, cpu, wall, equal))
    base = {source: cpu for (name, cpu, _, _) in rows for source in [name.removeprefix("hearth, ")] if name != source}
    print(f"{events:,} events; outputs of Hearth: {expected}")
    print(f"{'':<24}{'CPU s':>9}{'wall s':>9}{'events/CPU s':>15}{'CPU against hearth':>20}  outputs")
    for name, cpu, wall, equal in rows:
        source = name.rsplit(", ", 1)[-1] if ", " in name else ("parquet" if name == "duckdb" else "csv")
        told = "equal" if equal else "its own"
        print(f"{name:<24}{cpu:>9.2f}{wall:>9.2f}{events / cpu:>15,.0f}{cpu / base[source]:>20.2f}  {told}")
    if arguments.json:
        keys = ("what", "cpu_seconds", "wall_seconds", "equal")
        table = {"events": events, **expected, "rows": [dict(zip(keys, row)) for row in rows]}
        arguments.json.write_text(json.dumps(table, indent=2) + "\n")
    sys.exit(failed)


if __name__ == "__main__":
    main()
