"""A clock that only the test moves, for all code of Django that reads the time."""

import time
from datetime import datetime, timedelta, timezone

from django.utils import timezone as django_timezone

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)

micros = 0


def now():
    return EPOCH + timedelta(microseconds=micros)


def micros_of(moment):
    """Microseconds of Unix time, without the rounding of `timestamp()`."""
    since = moment - EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def freeze():
    time.time = lambda: micros / 1_000_000
    django_timezone.now = now
