"""What edge-session knows of a key besides its record: which key a rotation made of which, and which of them have ended. Django goes
on with that as well."""

from typing import NamedTuple

#: For how long a rotated key counts as superseded instead of revoked, in milliseconds.
SUPERSEDED = 100_000

#: How many rotations before its own a logout ends, too, and how many ahead of it.
PREDECESSORS = 7
REACH = 1
FAR_REACH = 3

#: How many rotations of a key without a record are looked up.
SEARCHED = 8

#: What the tombstone of an end says; that of a rotation says when it was.
ENDED = "ended"


class Line(NamedTuple):
    #: The key that the lineage began with.
    family: str
    #: How often `cycle_key` has changed the key.
    rotations: int
    #: The end that no save extends, in microseconds of Unix time.
    absolute: int | None = None


class Lineage:
    def __init__(self):
        self.lines = {}
        #: By family and rotations: ENDED, or the time of the rotation in milliseconds.
        self.tombstones = {}
        #: The data of anonymous keys that a login left, by their keys.
        self.left = {}

    def of(self, key):
        return self.lines.get(key, Line(key, 0))

    def begin(self, key, rotations, absolute):
        """A key of no lineage."""
        self.lines[key] = Line(key, rotations, absolute)

    def copy(self, key, old, absolute):
        """Django's `create` in a session that was loaded: the copy of a login belongs to it."""
        line = self.of(old)
        family = line.family if line.rotations else key
        self.lines[key] = Line(family, line.rotations, self.earlier(line, absolute))

    def succeed(self, key, old, absolute):
        """Django's `cycle_key`."""
        line = self.of(old)
        self.lines[key] = Line(line.family, line.rotations + 1, self.earlier(line, absolute) if line.rotations else absolute)

    def earlier(self, line, absolute):
        return absolute if line.absolute is None else min(line.absolute, absolute)

    def rotate(self, key, now):
        """The key goes on as another one."""
        place = self.of(key)[:2]
        if self.tombstones.get(place) != ENDED:
            self.tombstones[place] = now

    def end(self, line, reach):
        """Ends a session: its own keys, earlier ones, and `reach` rotations ahead. The isolate remembers that the anonymous key has
        ended, too."""
        self.tombstones[line.family, 0] = ENDED
        first = max(1, line.rotations - PREDECESSORS) if line.rotations else 0
        for rotations in range(first, line.rotations + reach + 1):
            self.tombstones[line.family, rotations] = ENDED

    def state(self, line, now):
        """"revoked" or "superseded", as a tombstone says; None where there is none."""
        tombstone = self.tombstones.get(line[:2])
        if tombstone is None:
            return None
        return "revoked" if tombstone == ENDED or now - tombstone > SUPERSEDED else "superseded"

    def loaded(self, line, now):
        """What a load finds: a key is not superseded by a login that has ended."""
        state = self.state(line, now)
        ended = self.tombstones.get((line.family, line.rotations + 1)) == ENDED
        return "revoked" if state == "superseded" and ended else state

    def opened(self, key, is_stored):
        """The line of a key without a token. Where it has no record, the last tombstone of its family counts for its own."""
        line = self.of(key)
        if is_stored:
            return line
        found = [rotations for rotations in range(SEARCHED) if (line.family, rotations) in self.tombstones]
        return line._replace(rotations=max(found, default=0))

    def refusal(self, origin, is_new, now):
        """What a save is refused with whose record rests on that of the key `origin`, or replaces it; None where it is not."""
        line = self.of(origin)
        starts_login = is_new and line.rotations == 0
        # The key of the login beside it has ended, or was rotated as well.
        first = self.state(line._replace(rotations=1), now) if starts_login else None
        if first:
            return "ES_SUPERSEDED" if first == "superseded" else "interrupted"
        state = self.state(line, now)
        if state is None or (starts_login and self.tombstones[line[:2]] != ENDED):
            return None
        return "ES_SUPERSEDED" if state == "superseded" else "interrupted"

    def is_over(self, key):
        return self.of(key)[:2] in self.tombstones
