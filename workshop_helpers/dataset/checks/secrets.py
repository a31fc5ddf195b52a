"""Keys and passwords in text."""

from __future__ import annotations

import math
import re
from collections import Counter
from typing import NamedTuple


class Secret(NamedTuple):
    """A password or key in a text: where it stands, what it is, how it is shown, how sure it is."""

    start: int
    end: int
    kind: str
    masked: str
    severity: str


# The shapes that the providers document for their keys, so that scanners find them.
_KEYS = {
    "an AWS access key": r"(?:AKIA|ASIA)[A-Z2-7]{16}",
    "a GitHub token": r"gh[pousr]_[A-Za-z0-9]{36,251}|github_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59}",
    "a GitLab token": r"glpat-[A-Za-z0-9_-]{20,}",
    "an Anthropic key": r"sk-ant-[a-z0-9]{3,10}-[A-Za-z0-9_-]{20,}",
    "an OpenRouter key": r"sk-or-v1-[0-9a-f]{40,}",
    "an OpenAI key": r"sk-(?:proj-|svcacct-|admin-)[A-Za-z0-9_-]{20,}|sk-[A-Za-z0-9]{20,}",
    "a Google key": r"AIza[A-Za-z0-9_-]{35}|GOCSPX-[A-Za-z0-9_-]{28}",
    "a Google access token": r"ya29\.[A-Za-z0-9_-]{30,}",
    "a Slack token": r"xox[abeoprs]-[A-Za-z0-9-]{20,}|xapp-\d-[A-Z0-9]+-\d+-[a-z0-9]{20,}",
    "a Slack webhook": r"hooks\.slack\.com/services/T[A-Z0-9]{6,}/B[A-Z0-9]{6,}/[A-Za-z0-9]{20,}",
    "a Stripe key": r"(?:sk|rk)_(?:live|test)_[A-Za-z0-9]{20,}|whsec_[A-Za-z0-9+/]{30,}",
    "a Hugging Face token": r"hf_[A-Za-z0-9]{30,}",
    "an npm token": r"npm_[A-Za-z0-9]{36}",
    "a PyPI token": r"pypi-AgE[A-Za-z0-9_-]{40,}",
    "a Groq key": r"gsk_[A-Za-z0-9]{40,}",
    "a SendGrid key": r"SG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}",
    "a Twilio key": r"SK[0-9a-f]{32}",
    "a Replicate token": r"r8_[A-Za-z0-9]{37}",
    "a DigitalOcean token": r"do[opr]_v1_[0-9a-f]{64}",
    "a Telegram bot token": r"\d{8,10}:AA[A-Za-z0-9_-]{33}",
    "a JSON web token": r"eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{10,}",
}


_KEY = re.compile(
    r"(?<![A-Za-z0-9_…])(?:"
    + "|".join(f"(?P<k{number}>{shape})" for number, shape in enumerate(_KEYS.values()))
    + r")(?![A-Za-z0-9])"
)


_KINDS = {f"k{number}": kind for number, kind in enumerate(_KEYS)}


_PRIVATE_KEY = re.compile(
    r"-----BEGIN (?:[A-Z0-9]+ ){0,3}PRIVATE KEY(?: BLOCK)?-----[A-Za-z0-9+/=:,\s\\]{40,}"
    r"(?:-----END [A-Z0-9 ]+-----)?"
)


_URL_PASSWORD = re.compile(
    r"\b[a-z][a-z0-9+.-]{1,20}://(?P<user>[^\s:/@\"'<>`]{0,64}):(?P<secret>[^\s/@\"'<>`]{3,128})@(?=[\w\[])",
    re.IGNORECASE,
)


# name = value, "name": "value", 名前：値 — for words that announce a key …
_ASSIGNED_KEY = re.compile(
    r"(?:api[_ -]?key|access[_ -]?key(?:[_ -]?id)?|secret(?:[_ -]?(?:access[_ -]?)?key)?|account[_ -]?key"
    r"|auth[_ -]?token|access[_ -]?token|client[_ -]?secret|bearer|token"
    r"|APIキー|アクセスキー|シークレット(?:キー)?|秘密鍵|トークン)"
    r"[\"'`]?\s*(?::=|=>|[:=：＝]|\bis\b|は|\s)\s*[\"'`「]?(?P<secret>[A-Za-z0-9_\-+/=.~]{20,})",
    re.IGNORECASE,
)


# … and for those that announce a password, whose value may be anything without spaces.
_ASSIGNED_PASSWORD = re.compile(
    r"(?:password|passwd|パスワード|暗証番号)[\"'`]?\s*"
    r"(?::=|=>|[:=：＝]|\bis:?(?=\s)|は)\s*[\"'`「]?(?P<secret>[!-~]{4,64})",
    re.IGNORECASE,
)


_NO_VALUE = re.compile(
    r"your|xxx|placeholder|changeme|change_me|example|redacted|\.\.\.|\*\*|^<|^\$|^\{|^%|^\[|\(|\)$|^[\"'`]+$|^none|^null"
    r"|^true|^false|^str\b|^string|environ|getenv|^self\.|^args\.|^config|^settings|^request|^input|https?:",
    re.IGNORECASE,
)


def find_secrets(text: str) -> list[Secret]:
    """The passwords and keys in a text, in order and without overlap.

    "error" where the shape is one that a provider documents; "warning" for a value that is merely
    called a password or a key, and for a provider's own example key.
    """
    found: list[Secret] = []
    for hit in _PRIVATE_KEY.finditer(text):
        found.append(
            Secret(hit.start(), hit.end(), "a private key", "-----BEGIN PRIVATE KEY…", "error")
        )
    for hit in _KEY.finditer(text):
        value = hit[0]
        if _is_filler(value):
            continue
        example = "EXAMPLE" in value
        kind = _KINDS[str(hit.lastgroup)]
        found.append(
            Secret(
                hit.start(), hit.end(), kind, mask_secret(value), "warning" if example else "error"
            )
        )
    if "://" in text and "@" in text:
        for hit in _URL_PASSWORD.finditer(text):
            value = hit["secret"]
            if _NO_VALUE.search(value) or value.lower() in {
                "password",
                "pass",
                "passwd",
                "pw",
                "secret",
                "port",
            }:
                continue
            found.append(
                Secret(*hit.span("secret"), "a password in a URL", mask_secret(value, 1), "error")
            )
    for hit in _ASSIGNED_KEY.finditer(text):
        value = hit["secret"].rstrip(".=")
        if _looks_random(value) and not _NO_VALUE.search(value):
            start = hit.start("secret")
            found.append(
                Secret(
                    start,
                    start + len(value),
                    "what looks like a key",
                    mask_secret(value),
                    "warning",
                )
            )
    for hit in _ASSIGNED_PASSWORD.finditer(text):
        value = hit["secret"].rstrip("\"'`,.;:)」")
        if _is_password(value, hit[0]) and not _NO_VALUE.search(value):
            start = hit.start("secret")
            found.append(
                Secret(start, start + len(value), "a password", mask_secret(value, 1), "warning")
            )
    kept: list[Secret] = []
    for secret in sorted(found, key=lambda one: (one.severity != "error", one.start)):
        if all(secret.end <= one.start or one.end <= secret.start for one in kept):
            kept.append(secret)
    return sorted(kept)


def mask_secret(value: str, keep: int = 4) -> str:
    """The first characters of a secret, which name its kind, and no more."""
    return value[:keep] + "…"


def _is_filler(value: str) -> bool:
    body = re.sub(r"^[A-Za-z0-9]{1,6}[_-]", "", value)
    return len(set(body)) <= 4 or "your" in value.lower() or "xxxx" in value.lower()


def _looks_random(value: str) -> bool:
    """Is it a mixture nobody types: at least 3 bits a character (Shannon's entropy), letters and
    digits?
    """
    if not (re.search(r"[A-Za-z]", value) and len(re.findall(r"\d", value)) >= 2):
        return False
    if (
        re.fullmatch(r"[A-Za-z_.\-]*[._-]?[a-z_]+\d{0,3}", value)
        or "/" in value[:2]
        or value.count(".") > 2
    ):
        return False
    counts = Counter(value)
    entropy = -sum(n / len(value) * math.log2(n / len(value)) for n in counts.values())
    return entropy >= 3.0


def _is_password(value: str, whole: str) -> bool:
    pin = re.search(r"暗証番号", whole, re.I)
    if pin and re.fullmatch(r"\d{4,8}", value):
        return True
    if len(value) < 6 or not value.isascii():
        return False
    classes = sum(
        bool(re.search(shape, value)) for shape in (r"[a-z]", r"[A-Z]", r"\d", r"[^A-Za-z0-9_.]")
    )
    # A code's own names (db_password_2), paths and calls are no passwords; neither are words and
    # bare numbers.
    return (
        classes >= 2
        and bool(re.search(r"\d|[!@#$%^&*?]", value))
        and not re.search(
            r"^[\d.,:/-]+$|[()\[\]{}<>\\]|^[a-z]+(?:_[a-z]+)+_?\d?$|://|^/|^--?\w", value
        )
    )
