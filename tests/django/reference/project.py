"""A Django project with sessions only: its settings, and its two engines with records."""

import warnings

import django
from django.conf import settings

SECRET = "the differential test's secret, of more than 32 bytes"

warnings.filterwarnings("ignore")
settings.configure(
    SECRET_KEY=SECRET,
    USE_TZ=True,
    INSTALLED_APPS=["django.contrib.sessions"],
    CACHES={"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}},
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    SESSION_ENGINE="django.contrib.sessions.backends.cache",
    LOGGING_CONFIG=None,
)
django.setup()

import merging  # noqa: E402 - gives the cache engine its store
from django.contrib.sessions.backends import cache as cache_engine  # noqa: E402
from django.contrib.sessions.backends import db as db_engine  # noqa: E402
from django.contrib.sessions.models import Session  # noqa: E402
from django.core.cache import cache  # noqa: E402
from django.db import connection  # noqa: E402

with connection.schema_editor() as editor:
    editor.create_model(Session)

DEFAULTS = {name: getattr(settings, name) for name in dir(settings) if name.startswith("SESSION_")}

NAMES = {
    "cookieAge": "SESSION_COOKIE_AGE",
    "cookieName": "SESSION_COOKIE_NAME",
    "cookieDomain": "SESSION_COOKIE_DOMAIN",
    "cookiePath": "SESSION_COOKIE_PATH",
    "cookieSecure": "SESSION_COOKIE_SECURE",
    "cookieHttpOnly": "SESSION_COOKIE_HTTPONLY",
    "cookieSameSite": "SESSION_COOKIE_SAMESITE",
    "expireAtBrowserClose": "SESSION_EXPIRE_AT_BROWSER_CLOSE",
    "saveEveryRequest": "SESSION_SAVE_EVERY_REQUEST",
}


def begin(chosen):
    """Creates an empty store, and applies those settings of a sequence that Django has."""
    cache.clear()
    merging.versions.clear()
    Session.objects.all().delete()
    for name, value in DEFAULTS.items():
        setattr(settings, name, value)
    for name, value in chosen.items():
        if name in NAMES:
            setattr(settings, NAMES[name], value)
