"""Converts between the lines of the protocol and Python's values."""

from datetime import datetime, timedelta

# Python values that JSON, or some languages that read JSON, cannot represent.
ODD = {
    "nan": lambda: float("nan"),
    "infinity": lambda: float("inf"),
    "big": lambda: 2**53 + 1,
    "huge": lambda: 10**400,
    "bytes": lambda: b"bytes",
    "date": lambda: datetime(2030, 1, 1),
    "set": lambda: {1},
    "surrogate": lambda: "\ud800",
    "function": lambda: (lambda: 1),
}


def odd(kind, path):
    """An odd value inside of lists and objects, as `path` says: a number for a list, a text for an object."""
    value = ODD[kind]()
    for step in reversed(path):
        value = [0] * step + [value] if isinstance(step, int) else {step: value}
    return value


def date(text):
    return datetime.fromisoformat(text)


def expiry(given):
    if given is None:
        return None
    if "n" in given:
        return given["n"]
    if "in" in given:
        return timedelta(microseconds=given["in"])
    return date(given["at"])


def options(given):
    """The keyword arguments of `get_expiry_age` and `get_expiry_date`."""
    kwargs = {}
    if "modification" in given:
        kwargs["modification"] = date(given["modification"])
    if "expiry" in given:
        kwargs["expiry"] = expiry(given["expiry"])
    return kwargs
