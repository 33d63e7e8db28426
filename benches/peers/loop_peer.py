"""W1 as a plain loop in Python: what the engines below, which call the same code, add to it."""

import csv
import json
import sys
from collections import defaultdict
from datetime import datetime

from w1 import Home

homes = defaultdict(Home)
segments = transitions = 0
with open(sys.argv[1], newline="") as log:
    rows = csv.reader(log)
    next(rows)
    for home, time, device, action, *_ in rows:
        at = datetime.fromisoformat(time).timestamp()
        begins, pair = homes[home].step(at, device, action)
        segments += begins
        transitions += pair is not None
print(json.dumps({"segments": segments, "transitions": transitions}))
