"""The expected state of edge-session for a key besides its record: the rotations, and the revoked keys. Django's side
continues with that state as well."""

from typing import NamedTuple

#: For how long a rotated key counts as superseded instead of revoked, in milliseconds.
SUPERSEDED = 100_000

#: For how long isolate memory keeps revocations and rotations, in milliseconds.
REMEMBERED = 130_000

#: How many rotations before its own and ahead of it a logout revokes.
PREDECESSORS = 7
REACH = 1
FAR_REACH = 3

#: How many rotations of a key without a record are looked up.
SEARCHED = 8

#: The value of the tombstone of an end; that of a rotation has its time.
ENDED = "ended"


class Line(NamedTuple):
    #: The key that the lineage began with.
    family: str
    #: How often `cycle_key` has changed the key.
    rotations: int
    #: The absolute deadline, in microseconds of Unix time.
    absolute: int | None = None


class Lineage:
    """On a linearizable store, a second login from one anonymous session has a family of its own, as has a copy of a login: each logout ends
    one of them."""

    def __init__(self, is_linearizable=False):
        self.is_linearizable = is_linearizable
        self.lines = {}
        #: By family and rotations: ENDED, or the time of the rotation in milliseconds.
        self.tombstones = {}
        #: When each of them was put, in milliseconds.
        self.put = {}
        #: The data of anonymous keys that a login replaced, by key.
        self.left = {}

    def of(self, key):
        return self.lines.get(key, Line(key, 0))

    def begin(self, key, rotations, absolute):
        """A key of no lineage."""
        self.lines[key] = Line(key, rotations, absolute)

    def copy(self, key, old, absolute):
        """Django's `create` in a session that was loaded: the copy of a login belongs to it."""
        line = self.of(old)
        family = line.family if line.rotations and not self.is_linearizable else key
        self.lines[key] = Line(family, line.rotations, self.earlier(line, absolute))

    def succeed(self, key, old, absolute):
        """Django's `cycle_key`."""
        line = self.of(old)
        if self.is_linearizable and self.has_login(line):
            self.lines[key] = Line(key, 1, absolute)
            return
        self.lines[key] = Line(line.family, line.rotations + 1, self.earlier(line, absolute) if line.rotations else absolute)

    def has_login(self, line):
        """Returns whether another key has replaced this one."""
        return any(other.family == line.family and other.rotations > line.rotations for other in self.lines.values())

    def earlier(self, line, absolute):
        return absolute if line.absolute is None else min(line.absolute, absolute)

    def rotate(self, key, now):
        """Rotates a key. A tombstone that was put a moment ago is unchanged."""
        place = self.of(key)[:2]
        if self.tombstones.get(place) != ENDED and not self.remembers(place, now):
            self.tombstones[place] = self.put[place] = now

    def remembers(self, place, now):
        return place in self.put and abs(now - self.put[place]) <= REMEMBERED

    def end(self, line, reach, now):
        """Ends a session: its own keys, earlier ones, and `reach` rotations ahead. Isolate memory revokes the anonymous key
        as well."""
        first = max(1, line.rotations - PREDECESSORS)
        ended = [0, *range(first, line.rotations + reach + 1)]
        if self.is_linearizable:
            # All keys of a login share a record. The anonymous one stays for a while after a login.
            last = max(other.rotations for other in [*self.lines.values(), line] if other.family == line.family)
            has_moved = line.rotations and (line.family, 0) in self.tombstones
            ended = range(1 if has_moved else 0, last + 1)
        for rotations in ended:
            self.tombstones[line.family, rotations] = ENDED
            self.put[line.family, rotations] = now

    def state(self, line, now):
        """"revoked" or "superseded", as a tombstone says; None where there is none."""
        tombstone = self.tombstones.get(line[:2])
        if tombstone is None:
            return None
        return "revoked" if tombstone == ENDED or now - tombstone > SUPERSEDED else "superseded"

    def loaded(self, line, now):
        """The load outcome: a key is not superseded by a login that has ended."""
        state = self.state(line, now)
        ended = self.is_followed_by_end(line)
        return "revoked" if state == "superseded" and ended else state

    def is_followed_by_end(self, line):
        """Returns whether the key that has replaced this one has ended."""
        return self.tombstones.get((line.family, line.rotations + 1)) == ENDED

    def opened(self, key, is_stored):
        """The line of a key without a token. Where it has no record, the last tombstone of its family counts for its own."""
        line = self.of(key)
        if is_stored:
            return line
        found = [rotations for rotations in range(SEARCHED) if (line.family, rotations) in self.tombstones]
        return line._replace(rotations=max(found, default=0))

    def refusal(self, origin, is_new, now):
        """The error of a save whose record is based on that of the key `origin`, or replaces it; None if it succeeds."""
        line = self.of(origin)
        starts_login = is_new and line.rotations == 0
        # The key of the login beside it has ended, or was rotated as well.
        first = self.state(line._replace(rotations=1), now) if starts_login and not self.is_linearizable else None
        if first:
            return "ES_SUPERSEDED" if first == "superseded" else "interrupted"
        state = self.state(line, now)
        is_open = state == "superseded" and not self.is_followed_by_end(line)
        is_beside = is_open if self.is_linearizable else self.tombstones.get(line[:2]) != ENDED
        if state is None or (starts_login and is_beside):
            return None
        return "ES_SUPERSEDED" if state == "superseded" else "interrupted"

    def refusal_of_new(self, key, is_known, now):
        """The error of the save of a new key that replaces none, but belongs to a login. If the request does not know the
        login by its key, only isolate memory has it."""
        line = self.of(key)
        state = self.state(line, now) if is_known or self.remembers(line[:2], now) else None
        return state and ("ES_SUPERSEDED" if state == "superseded" else "interrupted")

    def is_over(self, key):
        return self.of(key)[:2] in self.tombstones
