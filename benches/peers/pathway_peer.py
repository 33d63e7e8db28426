"""W1 in Pathway: a table of the log, a stateful reducer a home, one thread."""

import json
import sys
from datetime import datetime

import pathway as pw
from w1 import Home


class Event(pw.Schema):
    home: str
    time: str
    device: str
    action: str


@pw.reducers.stateful_many
def split(state, rows):
    home, segments, transitions = state.value if state else (Home(), 0, 0)
    # Rows of one batch come in any order.
    for (time, device, action), diff in sorted(rows):
        assert diff == 1
        at = datetime.fromisoformat(time).timestamp()
        begins, pair = home.step(at, device, action)
        segments += begins
        transitions += pair is not None
    return pw.wrap_py_object((home, segments, transitions))


totals = {}


def note(key, row, time, is_addition):
    if is_addition:
        totals[key] = row["found"].value[1:]


log = pw.io.csv.read(sys.argv[1], schema=Event, mode="static")
found = log.groupby(pw.this.home).reduce(
    found=split(pw.this.time, pw.this.device, pw.this.action)
)
pw.io.subscribe(found, note)
pw.run(monitoring_level=pw.MonitoringLevel.NONE)
segments, transitions = (sum(each) for each in zip(*totals.values()))
print(json.dumps({"segments": segments, "transitions": transitions}))
