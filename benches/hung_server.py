#!/usr/bin/env python3
"""Does a language model's server that never answers slow ingestion? Pairs of replays, one without a synthesizer, one with such a server.

    cargo build --release && benches/hung_server.py [PAIRS] [HOMES] [DAYS]

Each pair replays the same simulated log, one after the other in changing order. Prints events per second of ingestion (until
the last event is accounted for and its segments and transitions are out) of both, and the median of the pairs' ratios; the
claim is that it is at least 0.95. Needs nothing but Python.
"""

import json
import pathlib
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading

ENOUGH = 15  # seconds in which ingestion is surely over

HEARTH = pathlib.Path(__file__).resolve().parent.parent / "target" / "release" / "hearth"


def silent():
    """A server that accepts, reads and never answers; its port."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    held = []

    def accept():
        while True:
            held.append(listener.accept())

    threading.Thread(target=accept, daemon=True).start()
    return listener.getsockname()[1], held


def main():
    pairs, homes, days = (int(a) for a in (sys.argv[1:] + ["7", "100", "300"][len(sys.argv) - 1 :]))
    port, held = silent()
    with tempfile.TemporaryDirectory() as folder:
        run = lambda *arguments: subprocess.run([HEARTH, *arguments], cwd=folder, check=True, capture_output=True)
        run("simulate", "--homes", str(homes), "--days", str(days), "--seed", "7", "--out", "log")
        with open(pathlib.Path(folder) / "log" / "events.jsonl", "rb") as events:
            first = json.loads(next(events))["time"]
            lines = 1 + sum(1 for _ in events)
        # Early, so that requests are open while nearly all events still come.
        shift = {"home": "*", "time": f"{first[:8]}{int(first[8:10]) + 5:02}T00:00:00Z", "kind": "season"}
        shift |= {"from": "winter", "to": "spring"}
        (pathlib.Path(folder) / "shift.jsonl").write_text(json.dumps(shift))
        log = ["replay", "log/events.jsonl", "--contexts", "shift.jsonl", "--catalog", "log/catalog.json"]
        # Hardly trained, so that requests are made while events still come.
        short = ["--warm-up", "1", "--warm-up-span", "1s", "--threads", "1"]
        kinds = {
            "none": ["--synthesizer", "none"],
            "hung": ["--synthesizer", "openai", "--llm-url", f"http://127.0.0.1:{port}", "--llm-model", "m"]
            + ["--llm-attempts", "1", "--llm-first-token-timeout", "20s"],
        }

        def rate(kind):
            replay = subprocess.Popen(
                [HEARTH, *log, *short, *kinds[kind], "--out", kind],
                cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )
            # What follows ingestion is training and scoring, or waiting for the server: nobody waits for that.
            try:
                replay.wait(timeout=ENOUGH)
            except subprocess.TimeoutExpired:
                replay.send_signal(signal.SIGINT)
                replay.wait()
            summary = json.loads((pathlib.Path(folder) / kind / "summary.json").read_text())
            if summary["events"]["in"] != lines:
                sys.exit(f"{kind}: only {summary['events']['in']} of {lines} events within {ENOUGH} s")
            seconds = summary["timings"]["ingest_seconds"]
            return summary["events"]["in"] / seconds, summary["timings"]["events_during_adaptation"]

        ratios = []
        for pair in range(pairs):
            order = ["none", "hung"] if pair % 2 == 0 else ["hung", "none"]
            measured = {kind: rate(kind) for kind in order}
            ratios.append(measured["hung"][0] / measured["none"][0])
            print(
                f"pair {pair + 1}: {measured['none'][0]:,.0f} events/s without, {measured['hung'][0]:,.0f} with a hung server "
                f"({measured['hung'][1]:,} events came while requests were open): {ratios[-1]:.3f}",
                flush=True,
            )
        print(f"median of {pairs} ratios: {statistics.median(ratios):.3f}; connections held: {len(held)}")


if __name__ == "__main__":
    main()
