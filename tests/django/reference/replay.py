"""The replay of one sequence: a store, a clock, session objects by name, browsers that keep cookies."""

import re

import clock
import project
from calls import call
from django.conf import settings
from django.contrib.sessions.backends.base import CreateError, UpdateError
from django.contrib.sessions.exceptions import SessionInterrupted
from django.contrib.sessions import middleware
from django.contrib.sessions.middleware import SessionMiddleware
from django.http import HttpRequest, HttpResponse
from django.http.cookie import parse_cookie
from django.utils.cache import patch_vary_headers
from lineage import FAR_REACH, REACH, REMEMBERED, SEARCHED, Lineage
from merging import Noted, written

ERRORS = [
    (KeyError, "key"),
    (SessionInterrupted, "interrupted"),
    (UpdateError, "interrupted"),
    (CreateError, "taken"),
    ((ValueError, TypeError, OverflowError), "value"),
]

# A time after every date, in microseconds of Unix time.
BEYOND = 10**18

# A key that no session has.
UNKNOWN_KEY = "0123456789abcdefghijklmnopqrstuv"

# Keys that Django generates.
OWN = re.compile("(?!0123456789)[a-z0-9]{32}")

# The longest life of a session by default, in seconds.
LONGEST = 34_560_000

# Milliseconds: for how long a session may not be visible elsewhere, how far clocks may differ, and until when a logout assumes
# that the key of the load is the newest one, and a response is not late.
NOT_YET_VISIBLE = 100_000
SKEW = 10_000
RECENT = 1_000
LATE = 5_000

# The calls that read the clock.
LOOKING = {"commit", "save", "flush", "create", "cycle_key", "set_expiry", "get_expiry_age", "get_expiry_date"}

# The two names of the cookie, in order of precedence: after the first `cycle_key`, and before it.
ROTATED = "rotated"
ANONYMOUS = "anonymous"


class Known:
    """The expected state of edge-session for a session object."""

    def __init__(self, key, line, state, is_live, began, proven=(), presented=(), is_opened=False, is_unknown=False):
        self.arrived = key
        self.line = line
        #: The load outcome: "superseded", "revoked", or None. `flush` and `cycle_key` reset it.
        self.state = state
        self.is_live = is_live
        self.began = began
        #: The keys of the request's valid cookies, and the names of all its cookies.
        self.proven = list(proven)
        self.presented = list(presented)
        self.is_opened = is_opened
        #: Whether the key that it was opened by has neither a record nor a tombstone.
        self.is_unknown = is_unknown
        self.is_flushed = False
        #: Whether its key was made in this request, and the key that it replaces.
        self.is_pending = False
        self.is_missing = False
        self.origin = None
        self.refusal = None


class Replay:
    def __init__(self, sequence):
        self.engine = project.db_engine if sequence.get("engine") == "db" else project.cache_engine
        project.begin(sequence["settings"])
        clock.micros = sequence["start"] * 1000
        self.absolute_age = sequence["settings"].get("absoluteAge", LONGEST) * 1_000_000
        self.sessions = {}
        self.requests = {}
        self.known = {}
        self.keys = []
        #: By browser: its cookies' values by name, the one set last at the end.
        self.jars = {}
        self.issued = {}
        #: By key: the time at which its cookie was set.
        self.times = {}
        self.base = {}
        self.is_linearizable = sequence.get("consistency") == "linearizable"
        self.lineage = Lineage(self.is_linearizable)
        #: By key: whether edge-session has a record; the time of a save with a past deadline.
        self.stored = {}
        #: The deadlines of their records after the last save, in microseconds of Unix time.
        self.deadlines = {}

    @property
    def now(self):
        return clock.micros // 1000

    @property
    def absolute(self):
        """The absolute deadline of a session that begins now."""
        return clock.micros + self.absolute_age

    def answer(self, step):
        answer = {}
        try:
            value = getattr(self, step["op"])(step, answer)
            if value is not None:
                answer["v"] = value
        except Exception as error:
            kind = next((name for types, name in ERRORS if isinstance(error, types)), None)
            if kind is None:
                raise
            answer["e"] = kind
        session = self.sessions.get(step.get("on", step.get("as")))
        if session is not None:
            answer["key"] = self.label(session.session_key)
            answer["accessed"] = session.accessed
            answer["modified"] = session.modified
            answer["empty"] = session.is_empty()
            answer["early"] = self.engine is project.cache_engine and session.is_early
            session.is_early = False
        answer["lines"] = {self.label(key): self.tell_line(key) for key in self.keys}
        return answer

    def tell_line(self, key):
        line = self.lineage.of(key)
        return {"rotations": line.rotations, "absolute": line.absolute, "tombstone": self.lineage.tombstones.get(line[:2])}

    def label(self, key):
        if key is None:
            return None
        if key not in self.keys and not OWN.fullmatch(key):
            return "unknown"
        if key not in self.keys:
            self.keys.append(key)
        return f"K{self.keys.index(key) + 1}"

    def key(self, given):
        """The key behind a label, or the text itself."""
        if given is None or "text" in given:
            return given and given["text"]
        at = int(given["label"][1:]) - 1
        return self.keys[at] if at < len(self.keys) else UNKNOWN_KEY

    def is_there(self, key):
        return self.engine.SessionStore().exists(key)

    def is_stored(self, key):
        """Returns whether edge-session has a record of a key, expired or not, or has one in isolate memory."""
        if key not in self.stored:
            return False
        removed = self.stored[key]
        return removed is None or abs(self.now - removed) <= REMEMBERED

    # The kinds of steps.

    def clock(self, step, answer):
        clock.micros = step["at"] * 1000

    def open(self, step, answer):
        session = self.engine.SessionStore(self.key(step["key"]))
        key = session.session_key
        line = self.lineage.opened(key, self.is_stored(key)) if key else None
        state = self.lineage.loaded(line, self.now) if key else None
        is_live = bool(key) and state is None and self.is_there(key)
        is_unknown = bool(key) and state is None and not self.is_stored(key)
        known = Known(key, line, state, is_live, self.now, is_opened=bool(key), is_unknown=is_unknown)
        self.hold(step["as"], session, known, answer)

    def load(self, step, answer):
        base = settings.SESSION_COOKIE_NAME
        cookies = [cookie for given in step["cookies"] for cookie in self.cookies(given)]
        # Django's cookie has one name, and its browser has the cookie that was set last.
        sent = [(name.removesuffix(f"-{ANONYMOUS}"), value, form) for name, value, form, is_last in cookies if is_last]
        request = self.arrive(parse_cookie("; ".join(form.format(name=name, value=value) for name, value, form in sent)))
        session = request.session
        plain = {"key": self.label(session.session_key), "empty": session.is_empty()}
        header = "; ".join(form.format(name=name, value=value) for name, value, form, _ in cookies)
        value, presented, proven = self.read_here(header)
        if value != request.COOKIES.get(base):
            # edge-session's reading of the header, with Django's values: from here on Django continues with it.
            answer["plain"] = plain
            request = self.arrive({} if value is None else {base: value})
        self.requests[step["as"]] = request
        key = request.session.session_key
        line = self.lineage.of(key) if key else None
        state = self.lineage.loaded(line, self.now) if key else None
        is_live = bool(key) and state is None and self.is_there(key)
        answer["presented"] = presented
        self.hold(step["as"], request.session, Known(key, line, state, is_live, self.now, proven, presented), answer)

    def hold(self, name, session, known, answer):
        self.sessions[name] = session
        self.known[name] = known
        # On a linearizable store, a login that replaces a session without a record replaces nothing.
        known.is_missing = self.is_linearizable and bool(known.arrived) and not self.is_stored(known.arrived)
        if self.engine is project.cache_engine:
            session.read()
        answer["state"] = known.state
        self.note(name)

    def arrive(self, cookies):
        request = HttpRequest()
        request.COOKIES = cookies
        SessionMiddleware(lambda request: None).process_request(request)
        return request

    def name(self, key):
        return ROTATED if self.lineage.of(key).rotations else ANONYMOUS

    def cookies(self, given):
        """Names, values and forms of the cookies that a browser sends, and whether they are those set last."""
        base = settings.SESSION_COOKIE_NAME
        form = given.get("form", "{name}={value}")
        if "browser" in given:
            values = [*self.jars.get(given["browser"], {}).values()]
        elif "issued" in given:
            values = [self.issued[given["issued"]]] if given["issued"] in self.issued else []
        else:
            return [(given.get("name", base), given["text"], form, True)]
        named = {ROTATED: base, ANONYMOUS: f"{base}-{ANONYMOUS}"}
        return [(named[self.name(value)], value, form, value == values[-1]) for value in values]

    def read_here(self, header):
        """edge-session's reading of cookies: only tokens that it issued, under their own name; others are like a key that is too short.
        Also returns the names of the cookies, and the keys of valid tokens."""
        base = settings.SESSION_COOKIE_NAME
        pairs = [(name.strip(" \t"), value.strip(" \t")) for name, sign, value in (text.partition("=") for text in header.split(";")) if sign]
        presented, proven, first = [], [], None
        for slot, name in ((ROTATED, base), (ANONYMOUS, f"{base}-{ANONYMOUS}")):
            values = [value for own, value in pairs if own == name]
            if values:
                presented.append(slot)
            proven.append(self.verified(values, slot))
        for tokens in proven:
            over = [key for key in tokens if self.is_over(key)]
            live = [key for key in tokens if key not in over and not self.is_superseded(key)]
            if len(live) > 1:
                return "x", presented, sum(proven, [])
            found = next(iter(live + [key for key in tokens if key not in over]), None)
            if found:
                return found, presented, sum(proven, [])
            first = first or next(iter(over), None)
        return first or ("x" if presented else None), presented, sum(proven, [])

    def verified(self, values, slot):
        """The keys that were issued under a name, one of each family; more than two are ignored."""
        age = lambda key: (self.lineage.of(key).rotations, self.times[key])
        tokens = {}
        for value in values:
            if value not in self.issued.values() or self.name(value) != slot:
                continue
            family = self.lineage.of(value).family
            if family not in tokens or age(tokens[family]) < age(value):
                tokens[family] = value
        return list(tokens.values()) if len(tokens) <= 2 else []

    def is_superseded(self, key):
        return self.lineage.state(self.lineage.of(key), self.now) == "superseded"

    def is_over(self, key):
        """Returns whether a token certainly opens no session."""
        line = self.lineage.of(key)
        if line.absolute is not None and line.absolute <= clock.micros:
            return True
        state = self.lineage.state(line, self.now)
        if state or self.is_there(key):
            return state == "revoked"
        return self.is_stored(key) or self.is_linearizable or not -SKEW <= self.now - self.times[key] <= NOT_YET_VISIBLE

    def call(self, step, answer):
        name, call_name = step["on"], step["call"]
        session, known = self.sessions[name], self.known[name]
        session.whole = None
        self.look(session, call_name)
        is_loaded = hasattr(session, "_session_cache")
        if call_name == "cycle_key":
            session.items()  # drops an unknown key
        old = session.session_key
        answer["refusal"] = self.refusal(known, session, call_name)
        left = self.begin_cycle(known, session, answer) if call_name == "cycle_key" else None
        session.is_explicit = call_name == "save"
        value = call(session, call_name, step)
        session.is_explicit = False
        new = session.session_key
        if call_name == "flush":
            self.end_flush(known, old, answer)
        elif call_name == "create":
            if known.state != "superseded" and old and is_loaded:
                self.lineage.copy(new, old, self.absolute)
                answer["refusal"] = self.refusal_of_new(known, new)
            else:
                self.lineage.begin(new, int(known.is_flushed), self.absolute)
            known.is_pending, known.refusal = step.get("settle") is False, answer["refusal"]
        elif call_name == "cycle_key":
            self.end_cycle(known, old, new, left)
            if known.origin is None:
                answer["refusal"] = answer["refusal"] or self.refusal_of_new(known, new)
            known.is_pending, known.refusal = step.get("settle") is False, answer["refusal"]
        if call_name in ("save", "create", "cycle_key"):
            self.begin_line(known, new)
            self.label(new)
            self.tell_record(known, session, answer)
            self.note(name)
            if not known.is_pending:
                self.bury(answer, [old, new])
        if call_name in ("create", "cycle_key"):
            answer["written"] = True
        if call_name == "delete_own":
            self.end_key(old, answer)
        return value

    def look(self, session, call_name="commit"):
        """Most calls do not read the clock: their time is that of the last call that did."""
        if self.engine is project.cache_engine and call_name in LOOKING:
            session.look()

    def refusal(self, known, session, call_name="save"):
        """The error with which edge-session refuses to save the session."""
        if known.is_pending:
            return known.refusal
        if known.state == "superseded" and call_name != "cycle_key":
            return "ES_SUPERSEDED"
        if call_name == "create":
            return None
        key = session.session_key
        if known.state == "superseded":
            # The record of the anonymous session shows whether a logout has ended it meanwhile, as long as it lives.
            is_over = self.deadlines.get(known.arrived, clock.micros + 1) <= clock.micros
            if self.is_linearizable and (is_over or self.lineage.state(known.line, self.now) == "revoked"):
                return "interrupted"
            key = known.arrived if self.goes_on(known) else None
        if known.is_missing and call_name == "cycle_key":
            return None
        return key and self.lineage.refusal(key, call_name == "cycle_key", self.now)

    def refusal_of_new(self, known, key):
        named = [*known.proven, known.arrived] if known.is_opened else known.proven
        is_known = any(self.lineage.of(other).family == self.lineage.of(key).family for other in named)
        return self.lineage.refusal_of_new(key, is_known, self.now)

    def goes_on(self, known):
        """Returns whether a second login continues with the data from before the first one."""
        return known.line.rotations == 0 and known.arrived in self.lineage.left

    def begin_cycle(self, known, session, answer):
        """A second login beside the first begins with the data of the same anonymous session. Returns the data of the replaced key."""
        if known.state == "superseded":
            data = self.lineage.left[known.arrived] if self.goes_on(known) else None
            if data is not None:
                answer["second"] = True
                # Cleared data are unchanged.
                if isinstance(session._session_cache, Noted):
                    session._session_cache = session._session_cache.onto(data)
            return data
        key = session.session_key
        return dict(self.engine.SessionStore(key).load()) if key and self.is_there(key) else None

    def end_cycle(self, known, old, new, left):
        origin = known.arrived if known.state == "superseded" else old
        if known.is_missing and known.state != "superseded":
            origin = old = None  # the key had no record: the new one has a family of its own
        if origin:
            self.lineage.succeed(new, origin, self.absolute)
            if known.is_opened and known.state == "superseded" and self.lineage.of(origin).rotations:
                # Neither a token nor a record has the deadline of the key.
                self.lineage.lines[new] = self.lineage.of(new)._replace(absolute=self.absolute)
        else:
            self.lineage.begin(new, 1, self.absolute)
        known.origin = origin if old or left is not None else None
        if known.origin:
            self.lineage.rotate(origin, self.now)
            if self.lineage.of(origin).rotations == 0 and left is not None:
                self.lineage.left[origin] = left
            elif self.lineage.of(origin).rotations:
                self.stored.pop(origin, None)
        known.state = None

    def begin_line(self, known, key):
        """A session that was saved for the first time."""
        if key and key not in self.lineage.lines:
            self.lineage.begin(key, int(known.is_flushed), self.absolute)

    def end_flush(self, known, old, answer):
        """In edge-session a logout revokes all keys made from a login's key, and from here on so it does in Django."""
        keys = [known.origin if known.is_pending else old, *known.proven]
        lines = [known.line if key == known.arrived else self.lineage.of(key) for key in keys if key]
        if known.line and (known.state == "superseded" or (known.is_opened and not old)):
            lines.append(known.line)
        is_newest = known.is_live and self.now - known.began <= RECENT and not known.is_opened
        for line in lines:
            self.lineage.end(line, SEARCHED if known.is_unknown else REACH if is_newest else FAR_REACH, self.now)
        for key in [*keys, known.arrived]:
            self.stored.pop(key, None)
        answer["gone"] = not self.is_there(known.arrived)
        self.bury(answer, [old, known.arrived])
        answer["alive"] = [self.label(key) for key in self.keys if self.is_there(key)]
        known.is_flushed, known.state, known.is_pending, known.origin = True, None, False, None

    def end_key(self, key, answer):
        if key and (key == UNKNOWN_KEY or OWN.fullmatch(key)):
            line = self.lineage.opened(key, self.is_stored(key))
            is_unknown = self.lineage.loaded(line, self.now) is None and not self.is_stored(key)
            self.lineage.end(line, SEARCHED if is_unknown else FAR_REACH, self.now)
            self.stored.pop(key, None)
        self.bury(answer, [key])
        answer["alive"] = [self.label(key) for key in self.keys if self.is_there(key)]

    def bury(self, answer, own):
        """Ends revoked sessions in Django as well from here on. Returns the number of other sessions."""
        over = [key for key in self.keys if self.lineage.is_over(key) and self.is_there(key)]
        for key in over:
            self.engine.SessionStore().delete(key)
        answer["others"] = sum(key not in own for key in over)
        answer["dead"] = any(key in own for key in over)

    def tell_record(self, known, session, answer):
        deadline = answer["deadline"] = self.deadline(session)
        key = session.session_key
        known.is_missing = self.is_linearizable and deadline is None
        if deadline is not None:
            self.stored[key], self.deadlines[key] = None, deadline
        elif key in self.stored:
            self.stored[key] = self.now
        # The cache engine rounds a lifetime down to seconds, and an expired record has no data.
        if session.whole is not None and deadline is not None and deadline > clock.micros + 2_000_000:
            answer["stored"] = session.whole
            answer["merged"] = list(session.items())

    def exists(self, step, answer):
        return self.is_there(self.key(step["key"]))

    def delete(self, step, answer):
        key = self.key(step["key"])
        self.engine.SessionStore().delete(key)
        self.end_key(key, answer)

    def fetch(self, step, answer):
        return list(self.engine.SessionStore(self.key(step["key"])).load().items())

    def collide(self, step, answer):
        """Tries to create two records under one key."""
        ends = []
        for _ in range(2):
            try:
                self.engine.SessionStore(UNKNOWN_KEY).save(must_create=True)
                ends.append("ok")
            except CreateError:
                ends.append("taken")
        self.engine.SessionStore().delete(UNKNOWN_KEY)
        return ends

    def clear_expired(self, step, answer):
        before = project.Session.objects.count()
        self.engine.SessionStore.clear_expired()
        return before - project.Session.objects.count()

    def commit(self, step, answer):
        name = step["on"]
        request, known = self.requests[name], self.known[name]
        response = HttpResponse(status=step["status"])
        for header in ("Vary", "Cache-Control"):
            if header in step["headers"]:
                response[header] = step["headers"][header]
        session = request.session
        session.whole = None
        self.look(session)
        answer["refusal"] = self.refusal(known, session)
        unused = not hasattr(session, "_session_cache")
        answer["same"] = unused or self.base[name] == written(session._session_cache)
        depends = []
        middleware.patch_vary_headers = lambda response, names: depends.append(patch_vary_headers(response, names))
        SessionMiddleware(lambda request: None).process_response(request, response)
        answer["depends"] = bool(depends)
        answer["vary"] = response.get("Vary")
        answer["cache"] = response.get("Cache-Control")
        answer["cookie"] = None
        self.begin_line(known, session.session_key)
        self.label(session.session_key)
        for cookie, morsel in response.cookies.items():
            answer["cookie"] = self.received(step, known, cookie, morsel)
        if response.cookies and answer["cookie"]["value"]:
            self.tell_record(known, session, answer)
        elif known.is_flushed:
            self.take_away(step, known.presented)
        self.bury(answer, [session.session_key])

    def received(self, step, known, name, morsel):
        value = morsel.value
        jar = self.jars.setdefault(step["browser"], {})
        taken = list(known.presented) if known.is_flushed or not value else []
        if value:
            own = self.name(value)
            jar.pop(own, None)
            jar[own] = value
            self.issued[self.label(value)] = value
            self.times[value] = self.now
            is_late = self.now - known.began > LATE and value in known.proven
            if own == ROTATED and not is_late and ANONYMOUS in known.presented:
                taken.append(ANONYMOUS)
            taken = [other for other in taken if other != own]
        self.take_away(step, taken)
        flags = {flag: bool(morsel[flag]) for flag in ("secure", "httponly")}
        texts = {text: morsel[text] or None for text in ("expires", "domain", "path", "samesite")}
        age = morsel["max-age"]
        shown = {"name": name, "value": value and self.label(value), "max-age": None if age == "" else age}
        return {**shown, **flags, **texts}

    def take_away(self, step, names):
        for name in names:
            self.jars.get(step["browser"], {}).pop(name, None)

    def note(self, name):
        """The stored data of a session object, as of its creation or save."""
        data = self.engine.SessionStore(self.sessions[name].session_key).load()
        self.base[name] = written(data)

    def deadline(self, session):
        """The deadline of the record in the database engine; the cache engine rounds the remaining time down to seconds."""
        try:
            deadline = clock.micros_of(session.get_expiry_date())
        except OverflowError:
            deadline = BEYOND if session.get_expiry_age() > 0 else 0  # no date holds it
        return deadline if deadline > clock.micros else None
