"""Django's cache engine, changed like edge-session: it merges a session's changes onto the newest record, and reads the record when a
request begins."""

import json

import clock
from django.contrib.sessions.backends import cache
from django.core.cache import cache as kept


def written(data):
    """Data as a text that distinguishes 0 from -0 and 1 from true, and keeps their order."""
    return json.dumps(list(data.items()), default=repr)


def differs(one, other):
    return json.dumps(one, default=repr) != json.dumps(other, default=repr)


#: By key: the number of writes of its record that matter for merges.
versions = {}


class Noted(dict):
    """The loaded or saved data, and the changes since."""

    def __init__(self, data, version):
        super().__init__(data)
        self.version = version
        self.texts = {key: json.dumps(value, default=repr) for key, value in self.items()}
        self.touched = set()
        self.removed = set()

    def __setitem__(self, key, value):
        if key not in self or differs(self[key], value):
            self.touched.add(key)
        super().__setitem__(key, value)

    def update(self, pairs):
        for key, value in dict(pairs).items():
            self[key] = value

    def __delitem__(self, key):
        super().__delitem__(key)
        self.removed.add(key)

    def pop(self, key, *default):
        if key in self:
            self.removed.add(key)
        return super().pop(key, *default)

    def __reduce__(self):
        """The cache keeps plain data."""
        return dict, (dict(self),)

    def onto(self, newer):
        """The newer data, with the changes of this object."""
        merged = {key: value for key, value in newer.items() if key in self or key not in self.removed}
        for key, value in self.items():
            inside = key in self.texts and json.dumps(value, default=repr) != self.texts[key]
            if key in self.touched or inside:
                merged[key] = value
        return merged


class SessionStore(cache.SessionStore):
    #: The data that unchanged Django would have stored, if they differ.
    whole = None

    #: The result of `read`, until the first use: the data, their deadline, and the version.
    early = None

    #: Whether a save was requested, so that it writes unchanged data, too.
    is_explicit = False

    #: The clock of the object, in seconds: the time of the last call that read it.
    seen = 0

    #: Whether unchanged Django would have read other data at the first use.
    is_early = False

    def read(self):
        """Reads the data that Django reads at the first use."""
        self.look()
        if self.session_key is not None:
            self.early = kept.get(self.cache_key), kept._expire_info.get(kept.make_key(self.cache_key)), self.version

    def look(self):
        self.seen = clock.micros / 1_000_000

    def load(self):
        early, self.early = self.early, None
        if early is None:
            return Noted(super().load(), self.version)
        data, ends, version = early
        now = kept.get(self.cache_key)
        if data is None or (ends is not None and ends <= self.seen):
            self._session_key, data = None, {}
        self.is_early = written(now or {}) != written(data)
        return Noted(data, version)

    @property
    def version(self):
        return versions.get(self.session_key, 0)

    def save(self, must_create=False):
        if not must_create:
            if self.early is not None and self.exists(self.session_key):
                self._get_session()
            self.merge()
        before = kept.get(self.cache_key) if self.session_key else None
        super().save(must_create)
        if self.is_explicit or before is None or written(before) != written(self._session_cache):
            versions[self.session_key] = self.version + 1
        self._session_cache = Noted(self._session_cache, self.version)

    def cycle_key(self):
        self.merge()
        super().cycle_key()
        self._session_cache = Noted(self._session_cache, self.version)

    def merge(self):
        """Data that were not loaded, or were cleared, are stored unchanged."""
        data = self.__dict__.get("_session_cache")
        if self.session_key is None or not isinstance(data, Noted):
            return
        stored = type(self)(self.session_key)
        newer = stored.load()
        if stored.session_key is None or data.version == newer.version:
            return
        merged = data.onto(newer)
        if written(merged) != written(data):
            self.whole = list(data.items())
        self._session_cache = merged


cache.SessionStore = SessionStore
