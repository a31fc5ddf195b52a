"""Detectors of e-mail addresses and telephone numbers."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ..spans import ALONE, ENDED, ORDER, Span, stars, text_before

_EMAIL = re.compile(
    r"(?<![A-Za-z0-9._%+\-@/…*])(?P<user>[A-Za-z0-9][A-Za-z0-9._%+\-]{0,63})@"
    r"(?P<host>(?:[A-Za-z0-9](?:[A-Za-z0-9\-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]{2,24})(?![A-Za-z0-9_@(…*]|[.-][A-Za-z0-9]|:[\w/~])"
)
_FILE_ENDINGS = {
    "png", "jpg", "jpeg", "gif", "svg", "webp", "js", "ts", "css", "json", "py", "md", "sh",
    "yaml", "yml",
}  # fmt: skip
_ROLES = re.compile(
    r"(?:info|support|contact|help|helpdesk|sales|service|customer[._-]?(?:service|care|support)|cs|office|admin"
    r"|webmaster|postmaster|no-?reply|do-?not-?reply|press|jobs|recruit|shop|store|order|orders|returns|billing|privacy"
    r"|security|abuse|hello|team|feedback|news|newsletter|toiawase|otoiawase)",
    re.IGNORECASE,
)
_ANYBODY = re.compile(
    r"(?:your[._-]?(?:name|e?mail|address)?|you|user(?:name)?\d?|name|e?mail|someone|foo|bar|test\d?|abc|xxx+|sample|example|me|recipient"
    r"|sender|git|first\.last)",
    re.IGNORECASE,
)
# Reserved for examples: RFC 2606 and RFC 6761, and JPRS for .jp.
_RESERVED_HOST = re.compile(
    r"example\.(?:com|net|org|edu|jp|(?:co|ne|or|ac)\.jp)|(?:.+\.)?(?:example|test|invalid|localhost)",
    re.I,
)
_MADE_UP_HOST = re.compile(
    r"(?:my|your|some)?(?:domain|company|site|website|e?mail|school|server|host|acme|foo|bar|abc|xyz)\.com",
    re.I,
)


def emails(text: str) -> Iterator[Span]:
    """E-mail addresses, except those of hosts reserved for examples; a note for a company's."""
    if "@" not in text:
        return
    for found in _EMAIL.finditer(text):
        user, host = found["user"], found["host"]
        if re.search(r"://\S*$", text_before(found, 80)):
            continue  # user:password@host of a URL
        if host.rpartition(".")[2].lower() in _FILE_ENDINGS or user.endswith(".") or ".." in user:
            continue
        if _RESERVED_HOST.fullmatch(host):
            continue
        # A role mailbox is a company's public address.
        kind = "firm-email" if _ROLES.fullmatch(user) else "email"
        anybody = _ANYBODY.fullmatch(user) or _MADE_UP_HOST.fullmatch(host)
        severity = "note" if kind == "firm-email" or anybody else "warning"
        yield Span(*found.span(), kind, severity, f"{user[0]}…@{host[0]}…")


_PHONE_WORD = re.compile(
    r"(?:電話|携帯|ケータイ|tel|phone|call|mobile|cell|fax|ファックス|ファクス|連絡先|☎|📞|dial|\btext\b|whatsapp|ring)"
    r"[^0-9\n]{0,25}$",
    re.IGNORECASE,
)
_PHONE = re.compile(
    r"(?:(?<=[Tt][Ee][Ll])|(?<=[Ff][Aa][Xx])|(?<![A-Za-z0-9_*…#=/&.,])(?<![A-Za-z0-9*]-))"
    r"[+(]?\d(?:[ .\-()]{0,2}\d){8,15}" + ENDED
)
# In groups: area code from 0, exchange, four digits; ten digits, or eleven for 0x0 numbers.
_JAPANESE_PHONE = re.compile(
    r"\(?0[5789]0\)?[- ]?\d{4}[- ]?\d{4}|\(?0\d\)?[- ]\d{4}[- ]\d{4}|\(?0\d{2}\)?[- ]\d{3}[- ]\d{4}"
    r"|\(?0\d{3}\)?[- ]\d{2}[- ]\d{4}|\(?0\d{4}\)?[- ]\d[- ]\d{4}"
    r"|0(?:120|570|990)[- ]?\d{3}[- ]?\d{3}|0120[- ]\d{2}[- ]\d{4}"
    r"|0800[- ]?\d{3}[- ]?\d{4}|0\d{1,3}\(\d{2,4}\)\d{4}|\(0\d{1,3}\)\d{2,4}[- ]\d{4}"
)
_AMERICAN_PHONE = re.compile(r"(?:\+?1[ .-]?)?(?:\([2-9]\d{2}\) ?|[2-9]\d{2}[ .-])\d{3}[ .-]\d{4}")
_BRITISH_PHONE = re.compile(r"\(?0\d{2,4}\)? \d{3,4} \d{3,4}|0\d{4} \d{6}")
_WRITTEN_OUT = {"JP": _JAPANESE_PHONE, "US": _AMERICAN_PHONE, "GB": _BRITISH_PHONE}
_PHONE_LIKE = re.compile(r"\+\d|(?<!\d)0\d|[2-9]\d{2}\)?[ .-]\d{3}[ .-]\d{4}")
_FICTION = re.compile(r"(?:\+?1[ .-]?)?\(?555")  # films and examples call there
_SERVICE = re.compile(r"\(?(?:0120|0570|0990|0800[- ]?\d{3}[- ]?\d{4}$)")
_LOCAL_PHONE_WORD = re.compile(r"(?:phone|call|tel|電話|\bcell|mobile)[^0-9\n]{0,15}$", re.I)
_LOCAL_PHONE = re.compile(ALONE + r"[2-9]\d{2}-\d{4}" + ENDED)


def phones(text: str) -> Iterator[Span]:
    """Telephone numbers of Japan, the United States and Britain; a note for service lines."""
    for found in _PHONE.finditer(text):
        for start, end, service in _numbers_of(found[0], text_before(found)):
            kind, severity = ("service-phone", "note") if service else ("phone", "warning")
            if _FICTION.match(found[0], start):
                severity = "note"
            masked = stars(found[0][start:end], keep_last=4)
            yield Span(found.start() + start, found.start() + end, kind, severity, masked)
    for found in _LOCAL_PHONE.finditer(text):
        if _LOCAL_PHONE_WORD.search(text_before(found)):
            severity = "note" if _FICTION.match(found[0]) else "warning"
            yield Span(*found.span(), "phone", severity, stars(found[0], keep_last=4))


def _numbers_of(piece: str, before: str) -> Iterator[tuple[int, int, bool]]:
    """The telephone numbers in a text, and whether each is a service line."""
    named = bool(_PHONE_WORD.search(before))
    if not named and ORDER.search(before):
        return
    whole = _JAPANESE_PHONE.fullmatch(piece)
    if whole:
        yield 0, len(piece), bool(_SERVICE.match(piece))
        return
    if not named and not _PHONE_LIKE.search(piece):
        return
    import phonenumbers

    types = phonenumbers.PhoneNumberType
    service = {types.TOLL_FREE, types.PREMIUM_RATE, types.SHARED_COST, types.UAN}
    for region in ("JP", "US", "GB"):
        matches = list(phonenumbers.PhoneNumberMatcher(piece, region))
        matches = [match for match in matches if named or _is_written_out(match.raw_string, region)]
        for match in matches:
            yield match.start, match.end, phonenumbers.number_type(match.number) in service
        if matches:
            return
    if _AMERICAN_PHONE.fullmatch(piece):
        # 555-123-4567: in no plan, but written as a number to call; 400 is China's service code.
        yield 0, len(piece), piece.startswith("400")
        return
    # Ofcom reserves 07700 900xxx for drama, in no plan; accept it after a word for telephone.
    for mobile in re.finditer(r"(?<!\d)07\d{3} ?\d{6}(?!\d)", piece) if named else ():
        yield *mobile.span(), False


def _is_written_out(raw: str, region: str) -> bool:
    """Whether it is grouped like a telephone number; ungrouped digits may be any number."""
    return raw.startswith("+") or bool(_WRITTEN_OUT[region].fullmatch(raw))
