"""W1 in Bytewax: a keyed stream, a stateful map, one worker."""

import csv
import json
import sys
from datetime import datetime
from itertools import islice

import bytewax.operators as op
from bytewax.dataflow import Dataflow
from bytewax.inputs import FixedPartitionedSource, StatefulSourcePartition
from bytewax.outputs import DynamicSink, StatelessSinkPartition
from bytewax.testing import run_main
from w1 import Home

BATCH = 1000
totals = {"segments": 0, "transitions": 0}


class Rows(StatefulSourcePartition):
    def __init__(self, path):
        self.file = open(path, newline="")
        self.rows = csv.reader(self.file)
        next(self.rows)

    def next_batch(self):
        batch = list(islice(self.rows, BATCH))
        if not batch:
            raise StopIteration
        return [(home, (time, device, action)) for home, time, device, action, *_ in batch]

    def snapshot(self):
        return None


class Log(FixedPartitionedSource):
    def list_parts(self):
        return ["log"]

    def build_part(self, step, part, resume):
        return Rows(sys.argv[1])


class Counted(StatelessSinkPartition):
    def write_batch(self, items):
        for _, (begins, pair) in items:
            totals["segments"] += begins
            totals["transitions"] += pair is not None


class Count(DynamicSink):
    def build(self, step, worker, workers):
        return Counted()


def step(home, event):
    home = home or Home()
    time, device, action = event
    return home, home.step(datetime.fromisoformat(time).timestamp(), device, action)


flow = Dataflow("w1")
events = op.input("log", flow, Log())
op.output("count", op.stateful_map("split", events, step), Count())
run_main(flow)
print(json.dumps(totals))
