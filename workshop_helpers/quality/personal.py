"""Personal data in English and Japanese text, and how it is masked.

Every kind has one finder. Shapes alone do not decide: a card number must pass Luhn's test and begin like a network's,
a telephone number must be one by the numbering plan (the `phonenumbers` library), a My Number needs its check digit and
a word that announces it. That keeps prices, dates, order numbers and product codes out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from .content import find_secrets, place_of, visible
from .findings import Finding, around, finding
from .first_look import (
    EMAIL,
    ENGLISH_NAME,
    JAPANESE_NAME,
    JAPANESE_PLACE,
    NUMBER,
    PERSONAL,
    PLOT,
    STREET,
    first_look,
    personal_kinds,
)
from .names import (
    FIRM_ENDINGS,
    GIVEN_NAMES,
    KATAKANA_ROLES,
    NO_NAME_ENDINGS,
    NO_NAMES,
    SURNAMES,
)

if TYPE_CHECKING:
    from ..records import Conversation


class Span(NamedTuple):
    """Personal data in a text: text[start:end], the rule it breaks, how grave, what it is, and it masked."""

    start: int
    end: int
    rule: str
    severity: str
    what: str
    masked: str


def check_personal(conversation: Conversation) -> Iterable[Finding]:
    """`pii-email`, `pii-phone`, `pii-card`, `pii-my-number`, `pii-ssn`, `pii-postal-code`, `pii-address`, `pii-name`.

    Every turn of the row is looked at; what is found stands masked in message and excerpt.
    """
    if first_look(conversation.messages) & PERSONAL:
        return personal_findings(conversation)
    return ()


def personal_findings(conversation: Conversation) -> list[Finding]:
    """As `check_personal`, where the first look has seen signs."""
    messages = conversation.messages
    found: list[Finding] = []
    for number, message in enumerate(messages, start=1):
        text = message.content
        spans = find_personal(text, speaker=message.role)
        if not spans:
            continue
        where = place_of(message.role, number if len(messages) > 3 else None)
        shown, moved = _masked(text, [*spans, *_secret_spans(text)])
        for span in spans:
            start = moved(span.start)
            found.append(
                finding(
                    span.rule,
                    conversation,
                    f"{where} holds {span.what}: {span.masked}",
                    excerpt=visible(around(shown, start, start + len(span.masked), 80)),
                    severity=span.severity,
                )
            )
    return found


# -- finding and masking ---------------------------------------------------------------------------


def find_personal(text: str, *, speaker: str | None = None) -> list[Span]:
    """The personal data in a text, in order and without overlap.

    speaker: whose turn it is, if known; "My name is …" in an assistant's or system turn is the assistant's own name.
    """
    kinds = personal_kinds(text)
    if not kinds:
        return []
    # Full-width forms are read as their ASCII twins; every character keeps its place.
    plain = text if text.isascii() else text.translate(_PLAIN)
    links = [found.span() for found in _LINK.finditer(plain)] if "://" in plain else []
    spans: list[Span] = []
    for kind, finders in _FINDERS:
        if kinds & kind:
            for finder in finders:
                for span in finder(plain):
                    if kind == EMAIL or not any(a <= span.start < b for a, b in links):
                        _add(spans, span)
    if kinds & ENGLISH_NAME:
        for span in _english_names(plain, speaker):
            _add(spans, span)
    if plain is not text:
        spans = [span._replace(masked=_in_its_own_form(text, plain, span)) for span in spans]
    return sorted(spans)


def _in_its_own_form(text: str, plain: str, span: Span) -> str:
    # What is not hidden stays as it was written, full-width digits and dashes included.
    if len(span.masked) != span.end - span.start:
        return span.masked
    return "".join(
        text[i] if character == plain[i] else character
        for i, character in enumerate(span.masked, span.start)
    )


def _add(spans: list[Span], new: Span) -> None:
    if all(new.end <= old.start or old.end <= new.start for old in spans):
        spans.append(new)


def mask(text: str, *, speaker: str | None = None) -> tuple[str, int]:
    """The text with personal data and secrets masked, and how many there were.

    Enough stays to recognise it: the first letter of a name or an address, the last four digits of a telephone or
    card number, the region of a postal code, the first characters of a key. E-mail addresses and secrets are cut
    short ("t…@e…"); everything else keeps its length. Masking what is masked changes nothing.
    """
    count = 0
    # What is masked may have hidden its neighbour: look again until nothing is left.
    for _ in range(8):
        spans = [*_secret_spans(text), *find_personal(text, speaker=speaker)]
        if not spans:
            break
        masked, _moved = _masked(text, spans)
        if masked == text:
            break
        text = masked
        count += len(spans)
    return text, count


def _secret_spans(text: str) -> list[Span]:
    return [
        Span(one.start, one.end, "secret", one.severity, one.kind, one.masked)
        for one in find_secrets(text)
    ]


class _Moved(NamedTuple):
    """Where a place of the text lies after masking."""

    shifts: tuple[tuple[int, int], ...]

    def __call__(self, place: int) -> int:
        return place + sum(shift for end, shift in self.shifts if end <= place)


def _masked(text: str, spans: Iterable[Span]) -> tuple[str, _Moved]:
    kept: list[Span] = []
    for span in spans:
        _add(kept, span)
    parts, shifts, last = [], [], 0
    for span in sorted(kept):
        parts += [text[last : span.start], span.masked]
        shifts.append((span.end, len(span.masked) - (span.end - span.start)))
        last = span.end
    return "".join([*parts, text[last:]]), _Moved(tuple(shifts))


def _stars(text: str, *, keep_first: bool = False, keep_last: int = 0) -> str:
    """Letters and digits as "*", but the first of every word, or the last so many of the whole, where asked."""
    places = [i for i, c in enumerate(text) if c.isalnum() or c in "々ー"]
    kept = set(places[len(places) - keep_last :]) if keep_last else set()
    if keep_first and len(places) > 1:
        kept |= {i for i in places if i == places[0] or text[i - 1] in " \u3000・"}
    return "".join(
        "*" if i in set(places) - kept else character for i, character in enumerate(text)
    )


_PLAIN = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {0x3000: " "} | {
    ord(dash): "-" for dash in "‐‑‒–—―−─━"
}  # fmt: skip
_LINK = re.compile(r"(?:https?|ftp|file)://[^\s<>\"'）」]+")
# A number must not be a piece of something longer: a code, a decimal, a path, something already masked.
_ALONE = r"(?<![A-Za-z0-9_*…#=/&.,+])(?<![A-Za-z0-9*]-)(?<!\d:)"
_ENDED = r"(?![A-Za-z0-9_*…]|-[A-Za-z0-9*]|[.,:]\d)"
_ORDER = re.compile(
    r"(?:orders?|invoice|tracking|parcel|shipment|ticket|case|reference|ref|serial|model|item|part|sku|isbn|issn|jan|ean"
    r"|upc|gtin|product|customer|member(?:ship)?|booking|reservation|confirmation|transaction|policy|batch|lot|\bids?|uuid"
    r"|imei|timestamp|注文|受注|伝票|追跡|送り状|受付|予約|管理|整理|会員|顧客|製造|商品|品番|型番|シリアル|バーコード|ロット"
    r"|問い?合わ?せ番号)"
    r"(?:[ ]?(?:番号|コード|number|numbers|code|id|no))?[^0-9\n]{0,12}$",
    re.IGNORECASE,
)
_PHONE_WORD = re.compile(
    r"(?:電話|携帯|ケータイ|tel|phone|call|mobile|cell|fax|ファックス|ファクス|連絡先|☎|📞|dial|\btext\b|whatsapp|ring)"
    r"[^0-9\n]{0,25}$",
    re.IGNORECASE,
)


def _before(text: str, start: int, most: int = 40) -> str:
    return text[max(0, start - most) : start]


# -- e-mail ----------------------------------------------------------------------------------------

_EMAIL = re.compile(
    r"(?<![A-Za-z0-9._%+\-@/…*])(?P<user>[A-Za-z0-9][A-Za-z0-9._%+\-]{0,63})@"
    r"(?P<host>(?:[A-Za-z0-9](?:[A-Za-z0-9\-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]{2,24})(?![A-Za-z0-9_@(…*]|[.-][A-Za-z0-9]|:[\w/~])"
)
_FILE_ENDINGS = {
    "png",
    "jpg",
    "jpeg",
    "gif",
    "svg",
    "webp",
    "js",
    "ts",
    "css",
    "json",
    "py",
    "md",
    "sh",
    "yaml",
    "yml",
}
_ROLES = re.compile(
    r"(?:info|support|contact|help|helpdesk|sales|service|customer[._-]?(?:service|care|support)|cs|office|admin"
    r"|webmaster|postmaster|no-?reply|do-?not-?reply|press|jobs|recruit|shop|store|order|orders|returns|billing|privacy"
    r"|security|abuse|hello|team|feedback|news|newsletter|toiawase|otoiawase)",
    re.IGNORECASE,
)
_ANYBODY = re.compile(
    r"(?:your[._-]?(?:name|e?mail)?|you|user(?:name)?\d?|name|e?mail|someone|foo|bar|test\d?|abc|xxx+|sample|example|me|recipient"
    r"|sender|git|first\.last)",
    re.IGNORECASE,
)
_NOBODYS_HOST = re.compile(
    r"(?:.+\.)?(?:example(?:\.(?:com|net|org|jp|co\.jp))?|test|invalid|localhost|domain\.com)", re.I
)


def _emails(text: str) -> Iterator[Span]:
    if "@" not in text:
        return
    for found in _EMAIL.finditer(text):
        user, host = found["user"], found["host"]
        if re.search(r"://\S*$", _before(text, found.start(), 80)):
            continue  # user:password@host of a URL
        if host.rpartition(".")[2].lower() in _FILE_ENDINGS or user.endswith(".") or ".." in user:
            continue
        # A mailbox of a role is a firm's public address; "user@example.com" stands for anybody (RFC 2606).
        nobody = _ROLES.fullmatch(user) or (
            _ANYBODY.fullmatch(user) and _NOBODYS_HOST.fullmatch(host)
        )
        severity = "note" if nobody else "warning"
        what = "a firm's e-mail address" if _ROLES.fullmatch(user) else "an e-mail address"
        masked = f"{user[0]}…@{host[0]}…"
        yield Span(found.start(), found.end(), "pii-email", severity, what, masked)


# -- cards -----------------------------------------------------------------------------------------

_CARD = re.compile(_ALONE + r"\d(?:[ -]?\d){12,18}" + _ENDED)
_CARD_WORD = re.compile(
    r"(?:card|credit|debit|visa|mastercard|amex|american express|jcb|diners|カード|クレカ|ビザ)",
    re.IGNORECASE,
)
_TEST_CARD = re.compile(
    r"test card|テスト用?(?:の)?カード|テスト用|sandbox|サンドボックス|Stripe|dummy|ダミー",
    re.IGNORECASE,
)
_CARD_SHAPES = {(4, 4, 4, 4), (4, 6, 5), (4, 6, 4), (4, 4, 4, 4, 3), (4, 4, 4, 1)}


def _cards(text: str) -> Iterator[Span]:
    for found in _CARD.finditer(text):
        groups = re.split("[ -]", found[0])
        digits = "".join(groups)
        if not _is_card(digits) or (
            len(groups) > 1 and tuple(map(len, groups)) not in _CARD_SHAPES
        ):
            continue
        near = _before(text, found.start()) + " " + text[found.end() : found.end() + 20]
        named = _CARD_WORD.search(near)
        # One 13-digit number in ten passes Luhn's test, and Japanese bar codes (JAN) begin like a Visa card.
        if not named and (len(digits) == 13 or _ORDER.search(_before(text, found.start()))):
            continue
        severity = "warning" if _TEST_CARD.search(near) else "error"
        masked = _stars(found[0], keep_last=4)
        yield Span(found.start(), found.end(), "pii-card", severity, "a card number", masked)


def _is_card(digits: str) -> bool:
    """A network's first digits (ISO/IEC 7812), its length, and Luhn's check digit."""
    size, two, three, four = len(digits), int(digits[:2]), int(digits[:3]), int(digits[:4])
    network = (
        (digits[0] == "4" and size in (13, 16, 19))  # Visa
        or (size == 16 and (51 <= two <= 55 or 2221 <= four <= 2720))  # Mastercard
        or (size == 15 and two in (34, 37))  # American Express
        or (16 <= size <= 19 and 3528 <= four <= 3589)  # JCB
        or (14 <= size <= 19 and (300 <= three <= 305 or two in (36, 38, 39)))  # Diners Club
        or (16 <= size <= 19 and (four == 6011 or 644 <= three <= 649 or two in (62, 65)))
    )
    return network and luhn(digits)


def luhn(digits: str) -> bool:
    """Luhn's test (ISO/IEC 7812-1, annex B): every second digit from the right doubled, the digits' sum a tenfold."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if place % 2 else 1)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


# -- My Number and Social Security -----------------------------------------------------------------

_TWELVE = re.compile(_ALONE + r"\d{4}(?P<gap>[ -]?)\d{4}(?P=gap)\d{4}" + _ENDED)
_MY_NUMBER_WORD = re.compile(r"マイナンバー|個人番号|my ?number|individual number", re.IGNORECASE)


def _my_numbers(text: str) -> Iterator[Span]:
    for found in _TWELVE.finditer(text):
        digits = re.sub(r"\D", "", found[0])
        near = _before(text, found.start()) + text[found.end() : found.end() + 20]
        if _MY_NUMBER_WORD.search(near) and is_my_number(digits):
            masked = _stars(found[0], keep_last=2)
            yield Span(found.start(), found.end(), "pii-my-number", "error", "a My Number", masked)


def is_my_number(digits: str) -> bool:
    """Does the twelfth digit check the eleven before it?

    Weights from the right 2 to 7, then 2 to 6; 11 minus the sum's remainder by 11, and 0 for a remainder of 0 or 1
    (Ordinance of the Ministry of Internal Affairs and Communications No. 85 of 2014, article 5).
    """
    weighed = sum(
        int(digit) * (n + 1 if n <= 6 else n - 5)
        for n, digit in enumerate(reversed(digits[:11]), 1)
    )
    rest = weighed % 11
    if len(set(digits)) == 1:  # 0000 0000 0000 in a form's example
        return False
    return int(digits[11]) == (0 if rest <= 1 else 11 - rest)


_SSN = re.compile(_ALONE + r"(?!000|666|9)\d{3}-(?!00)\d{2}-(?!0000)\d{4}" + _ENDED)
_SSN_WORD = re.compile(r"\bSSN\b|social security|社会保障番号", re.IGNORECASE)


def _ssns(text: str) -> Iterator[Span]:
    for found in _SSN.finditer(text):
        before = _before(text, found.start())
        named = _SSN_WORD.search(before)
        if not named and _ORDER.search(before):
            continue
        severity = "error" if named else "warning"
        masked = _stars(found[0], keep_last=4)
        yield Span(
            found.start(), found.end(), "pii-ssn", severity, "a US Social Security number", masked
        )


# -- telephone -------------------------------------------------------------------------------------

_PHONE = re.compile(
    r"(?:(?<=[Tt][Ee][Ll])|(?<=[Ff][Aa][Xx])|(?<![A-Za-z0-9_*…#=/&.,])(?<![A-Za-z0-9*]-))"
    r"[+(]?\d(?:[ .\-()]{0,2}\d){8,15}" + _ENDED
)
# Written out with its groups: area code from 0, exchange, four digits; ten digits in all, or eleven for 0x0 numbers.
_JAPANESE_PHONE = re.compile(
    r"\(?0[5789]0\)?[- ]?\d{4}[- ]?\d{4}|\(?0\d\)?[- ]\d{4}[- ]\d{4}|\(?0\d{2}\)?[- ]\d{3}[- ]\d{4}"
    r"|\(?0\d{3}\)?[- ]\d{2}[- ]\d{4}|\(?0\d{4}\)?[- ]\d[- ]\d{4}"
    r"|0(?:120|570|990)[- ]?\d{3}[- ]?\d{3}|0120[- ]\d{2}[- ]\d{4}"
    r"|0800[- ]?\d{3}[- ]?\d{4}|0\d{1,3}\(\d{2,4}\)\d{4}|\(0\d{1,3}\)\d{2,4}[- ]\d{4}"
)
_AMERICAN_PHONE = re.compile(r"(?:\+?1[ .-]?)?(?:\([2-9]\d{2}\) ?|[2-9]\d{2}[ .-])\d{3}[ .-]\d{4}")
_PHONE_LIKE = re.compile(r"\+\d|(?<!\d)0\d|[2-9]\d{2}\)?[ .-]\d{3}[ .-]\d{4}")
_LOCAL_PHONE = re.compile(_ALONE + r"[2-9]\d{2}-\d{4}" + _ENDED)


def _phones(text: str) -> Iterator[Span]:
    for found in _PHONE.finditer(text):
        for start, end, service in _numbers_of(text, found.start(), found.end()):
            raw = text[start:end]
            what = "a service telephone number" if service else "a telephone number"
            severity = "note" if service else "warning"
            yield Span(start, end, "pii-phone", severity, what, _stars(raw, keep_last=4))
    for found in _LOCAL_PHONE.finditer(text):
        if re.search(
            r"(?:phone|call|tel|電話|\bcell|mobile)[^0-9\n]{0,15}$",
            _before(text, found.start()),
            re.I,
        ):
            masked = _stars(found[0], keep_last=4)
            yield Span(*found.span(), "pii-phone", "warning", "a telephone number", masked)


def _numbers_of(text: str, start: int, end: int) -> Iterator[tuple[int, int, bool]]:
    """The telephone numbers in text[start:end], and whether each is a firm's toll-free or service line."""
    piece = text[start:end]
    before = _before(text, start)
    named = bool(_PHONE_WORD.search(before))
    if not named and _ORDER.search(before):
        return
    whole = _JAPANESE_PHONE.fullmatch(piece)
    if whole:
        yield start, end, bool(re.match(r"\(?(?:0120|0570|0990|0800[- ]?\d{3}[- ]?\d{4}$)", piece))
        return
    if not named and not _PHONE_LIKE.search(piece):
        return
    import phonenumbers

    service = {
        phonenumbers.PhoneNumberType.TOLL_FREE,
        phonenumbers.PhoneNumberType.PREMIUM_RATE,
        phonenumbers.PhoneNumberType.SHARED_COST,
        phonenumbers.PhoneNumberType.UAN,
    }
    for region in ("JP", "US", "GB"):
        matches = list(phonenumbers.PhoneNumberMatcher(piece, region))
        matches = [match for match in matches if named or _is_written_out(match.raw_string, region)]
        for match in matches:
            free = phonenumbers.number_type(match.number) in service
            yield start + match.start, start + match.end, free
        if matches:
            return
    # Ofcom keeps 07700 900xxx for drama, so no plan has it; such shapes are numbers where a word says so.
    for mobile in re.finditer(r"(?<!\d)07\d{3} ?\d{6}(?!\d)", piece) if named else ():
        yield start + mobile.start(), start + mobile.end(), False


def _is_written_out(raw: str, region: str) -> bool:
    """Is it grouped as people write it? A bare run of digits may be any number."""
    if raw.startswith("+"):
        return True
    if region == "JP":
        return bool(_JAPANESE_PHONE.fullmatch(raw))
    if region == "US":
        return bool(_AMERICAN_PHONE.fullmatch(raw))
    return bool(re.fullmatch(r"\(?0\d{2,4}\)? \d{3,4} \d{3,4}|0\d{4} \d{6}", raw))


# -- postal codes ----------------------------------------------------------------------------------

_PREFECTURE = (
    "北海道|青森県|岩手県|宮城県|秋田県|山形県|福島県|茨城県|栃木県|群馬県|埼玉県|千葉県|東京都|神奈川県|新潟県|富山県|石川県"
    "|福井県|山梨県|長野県|岐阜県|静岡県|愛知県|三重県|滋賀県|京都府|大阪府|兵庫県|奈良県|和歌山県|鳥取県|島根県|岡山県"
    "|広島県|山口県|徳島県|香川県|愛媛県|高知県|福岡県|佐賀県|長崎県|熊本県|大分県|宮崎県|鹿児島県|沖縄県"
)
_JAPANESE_CODE = re.compile(
    rf"〒 ?(?P<marked>\d{{3}}-?\d{{4}})(?![\d*])"
    rf"|{_ALONE}(?P<bare>\d{{3}}-\d{{4}}){_ENDED}(?P<after> ?(?:{_PREFECTURE}))?"
    rf"|(?:郵便番号|住所)[^0-9\n]{{0,6}}(?P<named>\d{{7}}){_ENDED}"
)
_CODE_WORD = re.compile(
    r"(?:郵便番号|住所|postal code|post ?code|zip)[^0-9\n]{0,12}$", re.IGNORECASE
)
_STATES = (
    "AL|AK|AZ|AR|CA|CO|CT|DE|FL|GA|HI|ID|IL|IN|IA|KS|KY|LA|ME|MD|MA|MI|MN|MS|MO|MT|NE|NV|NH|NJ|NM|NY|NC|ND|OH|OK|OR|PA"
    "|RI|SC|SD|TN|TX|UT|VT|VA|WA|WV|WI|WY|DC"
)
_ZIP = re.compile(
    rf"(?:, ?(?:{_STATES})\.? |\b(?i:zip(?: ?code)?)(?i: is)?[:# ]{{1,3}})(?P<code>\d{{5}}(?:-\d{{4}})?){_ENDED}"
)
# Royal Mail's shape: area, district, a space, sector, unit.
_POSTCODE = re.compile(
    r"(?<![A-Za-z0-9*-])[A-Z]{1,2}\d[A-Z\d]? \d[ABD-HJLNP-UW-Z]{2}(?![A-Za-z0-9*-])"
)
_BRITISH = re.compile(
    r"(?:\b(?i:post ?code)[^0-9\n]{0,12}|\b(?:London|Manchester|Birmingham|Leeds|Glasgow|Edinburgh|Liverpool|Bristol"
    r"|Sheffield|Cardiff|Belfast|Oxford|Cambridge|York|Brighton|Nottingham|Leicester|Reading),? )$"
)


def _postal_codes(text: str) -> Iterator[Span]:
    rule, what = "pii-postal-code", "a postal code"
    for found in _JAPANESE_CODE.finditer(text):
        group = "marked" if found["marked"] else "named" if found["named"] else "bare"
        if (
            group == "bare"
            and not found["after"]
            and not _CODE_WORD.search(_before(text, found.start()))
        ):
            continue
        code = found[group]
        yield Span(*found.span(group), rule, "warning", what, code[:3] + _stars(code[3:]))
    for found in _ZIP.finditer(text):
        code = found["code"]
        yield Span(*found.span("code"), rule, "warning", what, code[:3] + _stars(code[3:]))
    for found in _POSTCODE.finditer(text):
        if _BRITISH.search(_before(text, found.start())):
            area = found[0].index(" ")
            masked = found[0][:area] + _stars(found[0][area:])
            yield Span(*found.span(), rule, "warning", what, masked)


# -- addresses -------------------------------------------------------------------------------------

_N = r"(?:\d{1,4}|[一二三四五六七八九十]{1,3})"
_UNIT = (
    "日|週|時|分|秒|か月|ヶ|カ月|ヵ月|か所|個|名|人|円|営業|年|月|回|倍|%|km|キロ|m|g|枚|本|点|割|歳|度|位|番線|代"
    "|種|件|台|社"
)
_JAPANESE_ADDRESS = re.compile(
    rf"(?P<region>(?:{_PREFECTURE})?(?:[一-龥々ヶケぁ-んァ-ヴー]{{1,7}}?[市郡])?[一-龥々ヶケァ-ヴーぁ-ん]{{1,6}}?[市区町村])"
    rf"(?P<town>(?:(?!まで|から|より|では|には|での|への|です|ます|内で|[はをへも、。])[一-龥々ァ-ヴーヶケぁ-ん]){{0,16}}?)"
    rf"(?P<plot>(?:[東西南北]?\d{{1,2}}条[東西南北]?)?{_N} ?丁目(?: ?{_N} ?番地?)?"
    rf"(?: ?{_N} ?号|の?\d{{1,3}}|-\d{{1,3}})*(?:\d{{1,4}}(?:-\d{{1,4}})+)?"
    rf"|{_N} ?番地(?:の?\d{{1,4}})?|\d{{1,4}} ?番 ?\d{{1,4}} ?号|\d{{1,4}}-\d{{1,4}}(?:-\d{{1,4}}){{0,2}}"
    rf"(?!-?[\dA-Za-z*]| ?(?:{_UNIT})))"
    r"(?P<house>[ 　]?[ァ-ヴーA-Za-z一-龥]{2,16}[ 　]?(?:\d{2,4} ?号室|\d{1,2} ?階|\d{3,4}(?!\d)))?"
)
_STREET_WORD = (
    r"Street|St\.?|Avenue|Ave\.?|Road|Rd\.?|Boulevard|Blvd\.?|Lane|Ln\.?|Drive|Dr\.?|Court|Ct\.?|Way|Place|Pl\.?|Terrace"
    r"|Square|Parkway|Pkwy\.?|Highway|Hwy\.?|Close|Crescent|Gardens|Row|Circle|Trail"
)
_STREET = re.compile(
    r"(?<![A-Za-z0-9*$€£¥.,:/-])(?P<number>\d{1,5}[A-Za-z]?) (?P<name>(?:[NSEW]\.? |St\.? )?"
    r"(?:\d{1,3}(?:st|nd|rd|th)|[A-Z][a-z'’]+"
    rf"(?: [A-Z][a-z'’]+){{0,2}})) (?P<kind>{_STREET_WORD})(?![A-Za-z*])"
    r"(?P<flat>,? (?:Apt|Apartment|Suite|Ste|Unit|Flat|#)\.? ?#?[0-9A-Z]{1,5})?"
    r"(?P<city>,? [A-Z][a-z]+(?: [A-Z][a-z]+)?(?=,| [A-Z]{2}\b))?"
)
_PLAIN_KIND = re.compile(
    r"(?:Street|St\.?|Avenue|Ave\.?|Road|Rd\.?|Boulevard|Blvd\.?|Lane|Ln\.?|Parkway|Pkwy\.?|Terrace|Crescent)"
)
_NOT_STREETS = re.compile(
    r"\b(?:Google|Hard|One|Flash|Test|Disk|Pen|Wall|Sesame|Easy|Abbey|Silk|Better|First|Second|Third|The|Best|This|Our|My|Long)\b"
)
_LIVES = re.compile(
    r"(?:\b(?:address|live[sd]?|living|at|to|from|located|reside[sd]?|home|deliver(?:ed|y)?|ship(?:ped)?|send|moved?)\b[^.!?\n]{0,20})$",
    re.IGNORECASE,
)
_PO_BOX = re.compile(r"\bP\.?O\.? ?Box \d{1,6}(?!\d)")


def _streets(text: str) -> Iterator[Span]:
    rule, what = "pii-address", "a postal address"
    for found in _STREET.finditer(text):
        context = found["flat"] or found["city"] or _LIVES.search(_before(text, found.start()))
        plain = _PLAIN_KIND.fullmatch(found["kind"]) and not _NOT_STREETS.search(found["name"])
        if context or plain:
            if _NOT_STREETS.search(found["name"]) and not (found["flat"] or found["city"]):
                continue
            yield Span(*found.span(), rule, "warning", what, _stars(found[0], keep_first=True))
    for found in _PO_BOX.finditer(text):
        yield Span(*found.span(), rule, "warning", what, re.sub(r"\d", "*", found[0]))


def _japanese_addresses(text: str) -> Iterator[Span]:
    rule, what = "pii-address", "a postal address"
    for found in _near(_JAPANESE_ADDRESS, PLOT, text, 40, 60):
        region = found["region"]
        sure = re.match(_PREFECTURE, region) or re.search(r"丁目|番地|号|-.*-", found["plot"])
        named = re.search(
            "住所|お届け先|配送先|送付先|所在地|宛先|自宅", _before(text, found.start(), 20)
        )
        if sure or named or (region.endswith(("区", "市")) and found["town"]):
            masked = region + _stars(found[0][len(region) :])
            yield Span(*found.span(), rule, "warning", what, masked)


def _near(
    pattern: re.Pattern[str], sign: re.Pattern[str], text: str, back: int, ahead: int
) -> Iterator[re.Match[str]]:
    """Matches of a costly pattern around the places of a cheap one."""
    done = 0
    for place in sign.finditer(text):
        if place.start() < done:
            continue
        start = max(done, place.start() - back)
        for found in pattern.finditer(text, start, place.end() + ahead):
            if found.end() >= place.start():
                yield found
                done = found.end()
                break


# -- names -----------------------------------------------------------------------------------------

_WORD = r"[A-Z][a-z]+(?:['’-][A-Z]?[a-z]+)?|[A-Z]\."
_PEOPLE = rf"(?P<name>(?:{_WORD})(?: (?:{_WORD})){{0,2}})(?![A-Za-z*…])"
_TITLED = re.compile(rf"(?<![A-Za-z])(?:Mr|Mrs|Ms|Miss|Dr)\.? {_PEOPLE}")
_DEAR = re.compile(rf"\bDear {_PEOPLE}(?=\s*[,:!\n]|\s*$)")
_MY_NAME = re.compile(
    rf"\b(?i:my|the|full|last|first) ?name is (?:{_PEOPLE}|(?P<small>[a-z]+)(?P<second> [a-z]+)?)"
)
_NAME_LABEL = re.compile(
    rf"(?m)\b(?P<label>(?i:full name|customer name|contact name|recipient(?:'s)? name|cardholder name|name)): {_PEOPLE}"
)
_SIGNED = re.compile(
    rf"(?i:regards|sincerely|thanks|thank you|yours(?: truly| faithfully)?|cheers|best wishes|best|respectfully),"
    rf"\n+\s*{_PEOPLE}\s*(?:\n|$)"
)


def _english_names(text: str, speaker: str | None) -> Iterator[Span]:
    for found in _TITLED.finditer(text):
        # "12 Maple Dr. Springfield" is a street; a title stands at the beginning or behind a word of its own.
        if found[0].startswith("Dr") and re.search(
            r"\d [A-Z][a-z]+ $", _before(text, found.start())
        ):
            continue
        yield from _person(found, "warning")
    for found in _DEAR.finditer(text):
        if not re.match(r"(?:Mr|Mrs|Ms|Miss|Dr)\b", found["name"]):
            yield from _person(found, "warning")
    if speaker not in ("assistant", "system"):
        for found in _MY_NAME.finditer(text):
            if found["name"]:
                yield from _person(found, "warning")
            elif found["small"] in GIVEN_NAMES:
                masked = _stars(found["small"], keep_first=True)
                yield Span(*found.span("small"), "pii-name", "warning", "a person's name", masked)
    for pattern in (_NAME_LABEL, _SIGNED):
        for found in pattern.finditer(text):
            first = found["name"].split()[0].lower()
            label = found.groupdict().get("label", "")
            if first in GIVEN_NAMES or (label and label.lower() != "name"):
                yield from _person(found, "warning")


def _person(found: re.Match[str], severity: str) -> Iterator[Span]:
    words = found["name"].lower().split()
    if any(word in NO_NAMES for word in words) or words in (["john", "doe"], ["jane", "doe"]):
        return
    masked = _stars(found["name"], keep_first=True)
    yield Span(*found.span("name"), "pii-name", severity, "a person's name", masked)


_KANJI = "一-龥々"
_SURNAME = "|".join(sorted(SURNAMES, key=lambda name: (-len(name), name)))
_GIVEN = rf"[{_KANJI}]{{1,3}}|(?![はがをにのともへやで])[ぁ-ん]{{2,4}}|[ァ-ヴー]{{2,5}}"
# Words that stand before a name without a mark between.
_BEFORE = "".join(
    rf"|(?<={word})"
    for word in (
        "担当",
        "担当者",
        "弊社",
        "当社",
        "御社",
        "会員",
        "社員",
        "店員",
        "先輩",
        "後輩",
        "同僚",
        "本日",
        "先日",
        "昨日",
        "株式会社",
        "有限会社",
    )
)
_FIRST = "".join(sorted({name[0] for name in SURNAMES}))
_START = rf"(?=[{_FIRST}])(?:(?<![{_KANJI}*]){_BEFORE})"
_TITLE = "様(?![々子式相態])|氏(?![名族神])|殿(?!堂)"
_ANY_TITLE = re.compile("様|氏|さん|殿|君")
_CALLED = re.compile(
    rf"{_START}(?P<name>(?P<surname>{_SURNAME})(?: ?(?P<given>{_GIVEN}))??)"
    rf" ?(?P<title>{_TITLE}|さん|君(?!主))"
)
_CALLED_APART = re.compile(
    rf"(?<![{_KANJI}ァ-ヴー])(?P<name>[{_KANJI}]{{1,3}} (?P<given>{_GIVEN})) ?(?P<title>{_TITLE})"
)
_CALLED_KATAKANA = re.compile(
    r"(?<![ァ-ヴー*・])(?P<name>[ァ-ヴー]{2,12}(?P<more>(?:[・=][ァ-ヴー]{2,12}){0,3}))"
    rf" ?(?P<title>{_TITLE}|さん)"
)
_NAME = rf"(?P<name>(?P<surname>{_SURNAME})(?: ?(?P<given>{_GIVEN}))??)"
_LABELLED = re.compile(
    rf"(?:氏名|名前|宛名|名義人|名義|契約者名?|担当者名?|担当|お客様名|ご本人様?) ?[:は] ?(?=[{_FIRST}]){_NAME}"
    r"(?=です|と申し|といいます|と言います|\s*$|\s*[\n、。,」(])",
    re.MULTILINE,
)
_SELF = re.compile("と(?:申し|言います)")
_INTRODUCED = re.compile(
    rf"(?:^|[、。「\n](?:私、)?|私は|[はの])(?=[{_FIRST}]){_NAME}(?=と(?:申し|言います))",
    re.MULTILINE,
)


def _japanese_names(text: str) -> Iterator[Span]:
    for found in _near(_CALLED, _ANY_TITLE, text, 12, 2):
        given = found["given"] or ""
        if not _is_firm(given):
            # A family name alone tells little; in a letter's 様, or with the given name, it tells who.
            yield _name_span(found, "warning" if given or found["title"] == "様" else "note")
    for found in _near(_CALLED_APART, _ANY_TITLE, text, 12, 2):
        if not _is_firm(found["given"]):
            yield _name_span(found, "note")
    for found in _near(_CALLED_KATAKANA, _ANY_TITLE, text, 30, 2):
        whole = bool(found["more"])
        if not found["name"].endswith(KATAKANA_ROLES) and (whole or found["title"] != "さん"):
            yield _name_span(found, "warning" if whole else "note")
    for found in (*_LABELLED.finditer(text), *_near(_INTRODUCED, _SELF, text, 14, 3)):
        if not _is_firm(found["given"] or ""):
            yield _name_span(found, "warning")


def _is_firm(given: str) -> bool:
    """What follows a family name in the name of a firm, a place or a group is no given name."""
    return bool(given) and (
        given[-1] in NO_NAME_ENDINGS or given in FIRM_ENDINGS or given[-2:] in FIRM_ENDINGS
    )


def _name_span(found: re.Match[str], severity: str) -> Span:
    name = found["name"]
    return Span(*found.span("name"), "pii-name", severity, "a person's name", _hidden_name(name))


def _hidden_name(name: str) -> str:
    return _stars(name) if len(name) == 1 else name[0] + _stars(name[1:])


# Numbers first: what is a card number is no telephone number.
_FINDERS: tuple[tuple[int, tuple[Callable[[str], Iterable[Span]], ...]], ...] = (
    (NUMBER, (_cards, _my_numbers)),
    (EMAIL, (_emails,)),
    (NUMBER, (_phones, _ssns)),
    (NUMBER | STREET, (_postal_codes,)),
    (JAPANESE_PLACE, (_japanese_addresses,)),
    (STREET, (_streets,)),
    (JAPANESE_NAME, (_japanese_names,)),
)
