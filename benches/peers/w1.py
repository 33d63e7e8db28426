"""W1: what every program does here, an event of a home at a time.

Per home, events in time order: cut a segment where the gap to the event before exceeds 9 hours or the segment's first event
is more than 24 hours ago, unless the event closes (`switch off`) what the segment holds open (`switch on` of the same
device); count each pair of consecutive actions inside a segment. Each segment and each pair is handed over as it comes.
"""

GAP, SPAN = 9 * 3600, 24 * 3600


class Home:
    """A home's state."""

    __slots__ = ("start", "last", "action", "open", "counts")

    def __init__(self):
        self.start = self.last = self.action = None
        self.open = set()
        self.counts = {}

    def step(self, time, device, action):
        """Takes an event (`time` in seconds); whether it begins a segment, and the pair that it ends."""
        closes = action == "switch off" and device in self.open
        begins = self.last is None or (
            (time - self.last > GAP or time - self.start > SPAN) and not closes
        )
        pair = None
        name = device + ":" + action
        if begins:
            self.start = time
            self.open.clear()
        else:
            pair = (self.action, name)
            self.counts[pair] = self.counts.get(pair, 0) + 1
        if action == "switch on":
            self.open.add(device)
        elif action == "switch off":
            self.open.discard(device)
        self.last, self.action = time, name
        return begins, pair
