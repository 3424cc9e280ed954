"""The calls on one session, by their names in the protocol."""

from values import expiry, odd, options


def call(session, name, step):
    return CALLS[name](session, step)


def mutate(session, step):
    """Changes the inside of a value, which sets no flag."""
    value = session.get(step["key"])
    if isinstance(value, list):
        value.append(7)
    elif isinstance(value, dict):
        value["m"] = 7
    if step["mark"]:
        session.modified = True


def remove(session, step):
    del session[step["key"]]


def store(session, step):
    session[step["key"]] = step["value"]


def store_odd(session, step):
    session[step["key"]] = odd(step["kind"], step["path"])


def set_modified(session, step):
    session.modified = step["value"]


def map_delete(session, step):
    there = step["key"] in session
    if there:
        del session[step["key"]]
    return there


def pop(session, step):
    return session.pop(step["key"], step["default"]) if "default" in step else session.pop(step["key"])


def get(session, step):
    return session.get(step["key"], step["default"]) if "default" in step else session.get(step["key"])


CALLS = {
    "item": lambda s, step: s[step["key"]],
    "set": store,
    "set_odd": store_odd,
    "remove": remove,
    "map_delete": map_delete,
    "has": lambda s, step: step["key"] in s,
    "get": get,
    "pop": pop,
    "setdefault": lambda s, step: s.setdefault(step["key"], step["value"]),
    "update": lambda s, step: s.update([tuple(pair) for pair in step["pairs"]]),
    "keys": lambda s, step: list(s.keys()),
    "values": lambda s, step: list(s.values()),
    "items": lambda s, step: list(s.items()),
    "mutate": mutate,
    "set_modified": set_modified,
    "clear": lambda s, step: s.clear(),
    "flush": lambda s, step: s.flush(),
    "save": lambda s, step: s.save(),
    "create": lambda s, step: s.create(),
    "cycle_key": lambda s, step: s.cycle_key(),
    "delete_own": lambda s, step: s.delete(),
    "set_test_cookie": lambda s, step: s.set_test_cookie(),
    "test_cookie_worked": lambda s, step: s.test_cookie_worked(),
    "delete_test_cookie": lambda s, step: s.delete_test_cookie(),
    "set_expiry": lambda s, step: s.set_expiry(expiry(step["expiry"])),
    "get_expiry_age": lambda s, step: s.get_expiry_age(**options(step["options"])),
    "get_expiry_date": lambda s, step: s.get_expiry_date(**options(step["options"])).isoformat(),
    "get_expire_at_browser_close": lambda s, step: s.get_expire_at_browser_close(),
    "encode_decode": lambda s, step: list(s.decode(s.encode(dict(map(tuple, step["pairs"])))).items()),
}
