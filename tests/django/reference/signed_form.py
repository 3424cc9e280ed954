"""Django's `encode` and `decode`, under secrets and at times of the line."""

import logging

import clock
from django.conf import settings
from django.contrib.sessions.backends.db import SessionStore
from django.core import signing

logging.getLogger("django.security.SuspiciousSession").setLevel(logging.CRITICAL)


def sign(payload, packed, store):
    """A payload of any bytes, signed as `encode` would sign it."""
    text = ("." if packed else "") + signing.b64_encode(payload).decode()
    return signing.TimestampSigner(salt=store.key_salt).sign(text)


def answer(line):
    settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS = line["secrets"]
    clock.micros = line.get("now", 1_893_456_000) * 1_000_000
    store = SessionStore()
    if line["signing"] == "raw":
        return [sign(bytes.fromhex(payload), packed, store) for payload, packed in line["payloads"]]
    if line["signing"] == "encode":
        return [store.encode(dict(map(tuple, pairs))) for pairs in line["data"]]
    return [list(store.decode(text).items()) for text in line["texts"]]
