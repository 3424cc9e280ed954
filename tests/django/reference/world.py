"""One sequence's world: a store, a clock, session objects by name, browsers that keep a cookie."""

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
from merging import written

ERRORS = [
    (KeyError, "key"),
    (SessionInterrupted, "interrupted"),
    (UpdateError, "interrupted"),
    (CreateError, "taken"),
    ((ValueError, TypeError, OverflowError), "value"),
]

# A moment after every date, in microseconds of Unix time.
BEYOND = 10**18

# A key that nobody has.
NOBODY = "0123456789abcdefghijklmnopqrstuv"

# What Django generates.
OWN = re.compile("(?!0123456789)[a-z0-9]{32}")


class World:
    def __init__(self, sequence):
        self.engine = project.db_engine if sequence.get("engine") == "db" else project.cache_engine
        project.begin(sequence["settings"])
        clock.micros = sequence["start"] * 1000
        self.sessions = {}
        self.requests = {}
        self.keys = []
        self.browsers = {}
        self.issued = {}
        self.arrived = {}
        self.base = {}
        self.families = {}
        #: By session object: the family that it knows to be its own.
        self.family = {}
        self.pending = set()

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
        return answer

    def label(self, key):
        if key is None:
            return None
        if key not in self.keys and not OWN.fullmatch(key):
            return "nobody"
        if key not in self.keys:
            self.keys.append(key)
        return f"K{self.keys.index(key) + 1}"

    def key(self, given):
        """The key behind a label, or the text itself."""
        if given is None or "text" in given:
            return given and given["text"]
        at = int(given["label"][1:]) - 1
        return self.keys[at] if at < len(self.keys) else NOBODY

    # What a step can be.

    def clock(self, step, answer):
        clock.micros = step["at"] * 1000

    def open(self, step, answer):
        session = self.engine.SessionStore(self.key(step["key"]))
        self.sessions[step["as"]] = session
        # A key alone says nothing of its family, but its record does.
        stored = session.session_key and session.exists(session.session_key)
        self.family[step["as"]] = self.families.get(session.session_key) if stored else None
        self.note(step["as"])

    def load(self, step, answer):
        header = "; ".join(filter(None, map(self.cookie, step["cookies"])))
        request = self.arrive(parse_cookie(header))
        session = request.session
        plain = {"key": self.label(session.session_key), "empty": session.is_empty()}
        value = self.read_here(header)
        if value != request.COOKIES.get(settings.SESSION_COOKIE_NAME):
            # What edge-session makes of the header, in Django's words: from here on Django goes on with that.
            answer["plain"] = plain
            request = self.arrive({} if value is None else {settings.SESSION_COOKIE_NAME: value})
        self.requests[step["as"]] = request
        self.sessions[step["as"]] = request.session
        self.arrived[step["as"]] = request.session.session_key
        self.family[step["as"]] = self.families.get(request.session.session_key)
        self.note(step["as"])

    def arrive(self, cookies):
        request = HttpRequest()
        request.COOKIES = cookies
        SessionMiddleware(lambda request: None).process_request(request)
        return request

    def cookie(self, given):
        if "browser" in given:
            value = self.browsers.get(given["browser"])
        elif "issued" in given:
            value = self.issued.get(given["issued"])
        else:
            value = given["text"]
        if value is None:
            return None
        name = given.get("name", settings.SESSION_COOKIE_NAME)
        return given.get("form", "{name}={value}").format(name=name, value=value)

    def read_here(self, header):
        """What edge-session reads: bytes, and only what it issued; the rest is like a key that is too short."""
        pairs = [text.partition("=") for text in header.split(";")]
        values = [value.strip(" \t") for name, _, value in pairs if name.strip(" \t") == settings.SESSION_COOKIE_NAME]
        issued = {value for value in values if value in self.issued.values()}
        if len(issued) == 1:
            return issued.pop()
        return "x" if values else None

    def call(self, step, answer):
        session = self.sessions[step["on"]]
        session.whole = None
        if step["call"] == "cycle_key":
            session.items()  # drops a key that nobody has
        old = session.session_key
        value = call(session, step["call"], step)
        if step["call"] == "flush":
            # A key that no commit has stored yet is nothing to be ended here.
            own = None if step["on"] in self.pending else old
            arrived = self.arrived.get(step["on"])
            self.end_families(answer, [own, arrived], [self.family.get(step["on"]), self.families.get(arrived)])
            answer["gone"] = not session.exists(arrived)
            answer["alive"] = [self.label(key) for key in self.keys if session.exists(key)]
        if "settle" in step and not step["settle"]:
            self.pending.add(step["on"])
        elif step["call"] in ("save", "create", "cycle_key", "flush"):
            self.pending.discard(step["on"])
        if step["call"] == "cycle_key":
            family = (old and self.family[step["on"]]) or session.session_key
            self.families[session.session_key] = self.family[step["on"]] = family
            self.end(answer, [old])
        elif session.session_key != old:
            self.family[step["on"]] = None
        if step["call"] == "delete_own":
            self.end(answer, [old])
        if step["call"] in ("create", "cycle_key"):
            answer["written"] = session.exists(session.session_key)
        if step["call"] in ("save", "create", "cycle_key"):
            self.tell_record(session, answer)
            self.note(step["on"])
        return value

    def end(self, answer, keys):
        """Tells which keys have ended for good."""
        answer["ended"] = [self.label(key) for key in keys if key and (key == NOBODY or OWN.fullmatch(key))]

    def end_families(self, answer, keys, families):
        """Here a logout ends all that a login's key became, and so it does in Django from here on."""
        others = [key for key, family in self.families.items() if family in families and key not in keys]
        answer["others"] = sum(self.engine.SessionStore().exists(key) for key in others)
        for key in others:
            self.engine.SessionStore().delete(key)
        self.end(answer, keys + others)

    def tell_record(self, session, answer):
        deadline = answer["deadline"] = self.deadline(session)
        # The cache engine rounds a life down to seconds, and what is over has no data.
        if session.whole is not None and deadline is not None and deadline > clock.micros + 2_000_000:
            answer["stored"] = session.whole
            answer["merged"] = list(session.items())

    def exists(self, step, answer):
        return self.engine.SessionStore().exists(self.key(step["key"]))

    def delete(self, step, answer):
        key = self.key(step["key"])
        self.engine.SessionStore().delete(key)
        self.end(answer, [key])

    def fetch(self, step, answer):
        return list(self.engine.SessionStore(self.key(step["key"])).load().items())

    def collide(self, step, answer):
        """Two records that are to be created under one key."""
        ends = []
        for _ in range(2):
            try:
                self.engine.SessionStore(NOBODY).save(must_create=True)
                ends.append("ok")
            except CreateError:
                ends.append("taken")
        self.engine.SessionStore().delete(NOBODY)
        return ends

    def clear_expired(self, step, answer):
        before = project.Session.objects.count()
        self.engine.SessionStore.clear_expired()
        return before - project.Session.objects.count()

    def commit(self, step, answer):
        request = self.requests[step["on"]]
        response = HttpResponse(status=step["status"])
        for name in ("Vary", "Cache-Control"):
            if name in step["headers"]:
                response[name] = step["headers"][name]
        session = request.session
        session.whole = None
        unused = not hasattr(session, "_session_cache")
        answer["same"] = unused or self.base[step["on"]] == written(session._session_cache)
        depends = []
        middleware.patch_vary_headers = lambda response, names: depends.append(patch_vary_headers(response, names))
        SessionMiddleware(lambda request: None).process_response(request, response)
        answer["depends"] = bool(depends)
        answer["vary"] = response.get("Vary")
        answer["cache"] = response.get("Cache-Control")
        answer["cookie"] = None
        for name, morsel in response.cookies.items():
            answer["cookie"] = self.received(step, name, morsel)
        if response.cookies and answer["cookie"]["value"]:
            self.tell_record(session, answer)

    def received(self, step, name, morsel):
        value = morsel.value
        self.browsers[step["browser"]] = value or None
        if value:
            self.issued[self.label(value)] = value
        flags = {flag: bool(morsel[flag]) for flag in ("secure", "httponly")}
        texts = {text: morsel[text] or None for text in ("expires", "domain", "path", "samesite")}
        age = morsel["max-age"]
        shown = {"name": name, "value": value and self.label(value), "max-age": None if age == "" else age}
        return {**shown, **flags, **texts}

    def note(self, name):
        """What is stored for a session object, as it was when the object was made or saved."""
        data = self.engine.SessionStore(self.sessions[name].session_key).load()
        self.base[name] = written(data)

    def deadline(self, session):
        """When the record ends, as the database engine notes it; the cache engine rounds the way there down to seconds."""
        try:
            deadline = clock.micros_of(session.get_expiry_date())
        except OverflowError:
            deadline = BEYOND if session.get_expiry_age() > 0 else 0  # no date holds it
        return deadline if deadline > clock.micros else None
