"""Where edge-session puts a session's changes onto the newest record, Django's cache engine goes on with that as well."""

import json

from django.contrib.sessions.backends import cache


def written(data):
    """Data as a text that tells 0 from -0, and 1 from true, and keeps their order."""
    return json.dumps(list(data.items()), default=repr)


def differs(one, other):
    return json.dumps(one, default=repr) != json.dumps(other, default=repr)


class Noted(dict):
    """What was loaded or saved, and what was set and removed since."""

    def __init__(self, data):
        super().__init__(data)
        self.base = written(self)
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
        """The newer data, with what was changed here."""
        merged = {key: value for key, value in newer.items() if key in self or key not in self.removed}
        for key, value in self.items():
            inside = key in self.texts and json.dumps(value, default=repr) != self.texts[key]
            if key in self.touched or inside:
                merged[key] = value
        return merged


class SessionStore(cache.SessionStore):
    #: What Django alone would have stored, where that is something else.
    whole = None

    def load(self):
        return Noted(super().load())

    def save(self, must_create=False):
        if not must_create:
            self.merge()
        super().save(must_create)
        self._session_cache = Noted(self._session_cache)

    def cycle_key(self):
        self.merge()
        super().cycle_key()
        self._session_cache = Noted(self._session_cache)

    def merge(self):
        """Data that were not loaded, or cleared, are stored as they are."""
        data = self.__dict__.get("_session_cache")
        if self.session_key is None or not isinstance(data, Noted):
            return
        stored = type(self)(self.session_key)
        newer = stored.load()
        if stored.session_key is None or written(newer) == data.base:
            return
        merged = data.onto(newer)
        if written(merged) != written(data):
            self.whole = list(data.items())
        self._session_cache = merged


cache.SessionStore = SessionStore
