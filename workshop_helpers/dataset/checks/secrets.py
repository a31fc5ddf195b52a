"""Keys and passwords in text."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator

from .spans import Span, without_overlap

# The providers' documented key formats.
KEYS = {
    "aws-key": r"(?:AKIA|ASIA)[A-Z2-7]{16}",
    "github-token": r"gh[pousr]_[A-Za-z0-9]{36,251}|github_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59}",
    "gitlab-token": r"glpat-[A-Za-z0-9_-]{20,}",
    "anthropic-key": r"sk-ant-[a-z0-9]{3,10}-[A-Za-z0-9_-]{20,}",
    "openrouter-key": r"sk-or-v1-[0-9a-f]{40,}",
    "openai-key": r"sk-(?:proj-|svcacct-|admin-)[A-Za-z0-9_-]{20,}|sk-[A-Za-z0-9]{20,}",
    "google-key": r"AIza[A-Za-z0-9_-]{35}|GOCSPX-[A-Za-z0-9_-]{28}",
    "google-token": r"ya29\.[A-Za-z0-9_-]{30,}",
    "slack-token": r"xox[abeoprs]-[A-Za-z0-9-]{20,}|xapp-\d-[A-Z0-9]+-\d+-[a-z0-9]{20,}",
    "slack-webhook": r"hooks\.slack\.com/services/T[A-Z0-9]{6,}/B[A-Z0-9]{6,}/[A-Za-z0-9]{20,}",
    "stripe-key": r"(?:sk|rk)_(?:live|test)_[A-Za-z0-9]{20,}|whsec_[A-Za-z0-9+/]{30,}",
    "hugging-face-token": r"hf_[A-Za-z0-9]{30,}",
    "npm-token": r"npm_[A-Za-z0-9]{36}",
    "pypi-token": r"pypi-AgE[A-Za-z0-9_-]{40,}",
    "groq-key": r"gsk_[A-Za-z0-9]{40,}",
    "sendgrid-key": r"SG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}",
    "twilio-key": r"SK[0-9a-f]{32}",
    "replicate-token": r"r8_[A-Za-z0-9]{37}",
    "digitalocean-token": r"do[opr]_v1_[0-9a-f]{64}",
    "telegram-token": r"\d{8,10}:AA[A-Za-z0-9_-]{33}",
    "web-token": r"eyJ[A-Za-z0-9_-]{10,1000}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{10,}",
}
_KEY = re.compile(
    r"(?<![A-Za-z0-9_…])(?:"
    + "|".join(f"(?P<k{number}>{shape})" for number, shape in enumerate(KEYS.values()))
    + r")(?![A-Za-z0-9])"
)
_KINDS = {f"k{number}": kind for number, kind in enumerate(KEYS)}
_PRIVATE_KEY = re.compile(
    r"-----BEGIN (?:[A-Z0-9]+ ){0,3}PRIVATE KEY(?: BLOCK)?-----[A-Za-z0-9+/=:,\s\\]{40,}"
    r"(?:-----END [A-Z0-9 ]+-----)?"
)
_URL_PASSWORD = re.compile(
    r"\b[a-z][a-z0-9+.-]{1,20}://(?P<user>[^\s:/@\"'<>`]{0,64}):(?P<secret>[^\s/@\"'<>`]{3,128})@(?=[\w\[])",
    re.IGNORECASE,
)
# name = value, "name": "value", 名前：値, with words for a key …
_ASSIGNED_KEY = re.compile(
    r"(?:api[_ -]?key|access[_ -]?key(?:[_ -]?id)?|secret(?:[_ -]?(?:access[_ -]?)?key)?"
    r"|account[_ -]?key|auth[_ -]?token|access[_ -]?token|client[_ -]?secret|bearer|token"
    r"|APIキー|アクセスキー|シークレット(?:キー)?|秘密鍵|トークン)"
    r"[\"'`]?\s*(?:(?::=|=>|[:=：＝]|\bis\b|は)\s*|(?<=\s))[\"'`「]?(?P<secret>[A-Za-z0-9_\-+/=.~]{20,})",
    re.IGNORECASE,
)
# … and with words for a password, whose value may be anything without spaces.
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
_NO_PASSWORDS = {"password", "pass", "passwd", "pw", "secret", "port"}


def find_secrets(text: str) -> list[Span]:
    """The passwords and keys in a text, in order and without overlap.

    "error" for a provider's documented format; "warning" for a value that is only called a password
    or a key, and for a provider's example key.
    """
    found = (*_known_keys(text), *_url_passwords(text), *_assigned(text))
    return without_overlap(sorted(found, key=lambda span: (span.severity != "error", span.start)))


def _known_keys(text: str) -> Iterator[Span]:
    for hit in _PRIVATE_KEY.finditer(text):
        yield Span(*hit.span(), "private-key", "error", "-----BEGIN PRIVATE KEY…")
    for hit in _KEY.finditer(text):
        if not _is_filler(hit[0]):
            severity = "warning" if "EXAMPLE" in hit[0] else "error"
            yield Span(*hit.span(), _KINDS[str(hit.lastgroup)], severity, hit[0][:4] + "…")


def _url_passwords(text: str) -> Iterator[Span]:
    if "://" not in text or "@" not in text:
        return
    for hit in _URL_PASSWORD.finditer(text):
        value = hit["secret"]
        if not _NO_VALUE.search(value) and value.lower() not in _NO_PASSWORDS:
            yield Span(*hit.span("secret"), "url-password", "error", value[0] + "…")


def _assigned(text: str) -> Iterator[Span]:
    for hit in _ASSIGNED_KEY.finditer(text):
        value = hit["secret"].rstrip(".=")
        if _looks_random(value) and not _NO_VALUE.search(value):
            start = hit.start("secret")
            yield Span(start, start + len(value), "key-like", "warning", value[:4] + "…")
    for hit in _ASSIGNED_PASSWORD.finditer(text):
        value = hit["secret"].rstrip("\"'`,.;:)」")
        if _is_password(value, hit[0]) and not _NO_VALUE.search(value):
            start = hit.start("secret")
            yield Span(start, start + len(value), "password", "warning", value[:1] + "…")


def _is_filler(value: str) -> bool:
    body = re.sub(r"^[A-Za-z0-9]{1,6}[_-]", "", value)
    return len(set(body)) <= 4 or "your" in value.lower() or "xxxx" in value.lower()


_WORDS = re.compile(r"[A-Za-z_.\-]*[a-z_]\d{0,3}")


def _looks_random(value: str) -> bool:
    """Whether letters and digits look random: entropy of at least 3 bits per character."""
    if not re.search(r"[A-Za-z]", value) or len(re.findall(r"\d", value)) < 2:
        return False
    if _WORDS.fullmatch(value) or "/" in value[:2] or value.count(".") > 2:
        return False
    shares = [n / len(value) for n in Counter(value).values()]
    return -sum(share * math.log2(share) for share in shares) >= 3.0


# Names in code (db_password_2), paths, calls, words and plain numbers are not passwords.
_NO_PASSWORD = re.compile(r"^[\d.,:/-]+$|[()\[\]{}<>\\]|^[a-z]+(?:_[a-z]+)+_?\d?$|://|^/|^--?\w")


def _is_password(value: str, whole: str) -> bool:
    if "暗証番号" in whole and re.fullmatch(r"\d{4,8}", value):
        return True
    if len(value) < 6 or not value.isascii() or not re.search(r"\d|[!@#$%^&*?]", value):
        return False
    classes = (r"[a-z]", r"[A-Z]", r"\d", r"[^A-Za-z0-9_.]")
    several = sum(bool(re.search(shape, value)) for shape in classes) >= 2
    return several and not _NO_PASSWORD.search(value)
