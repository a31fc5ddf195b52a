"""Detectors of Japanese, American and British postal codes and addresses."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ..prefilter import PLOT
from ..spans import ALONE, ENDED, Span, matches_near, stars, text_before

_PREFECTURE = (
    "北海道|青森県|岩手県|宮城県|秋田県|山形県|福島県|茨城県|栃木県|群馬県|埼玉県|千葉県|東京都|神奈川県|新潟県|富山県|石川県"
    "|福井県|山梨県|長野県|岐阜県|静岡県|愛知県|三重県|滋賀県|京都府|大阪府|兵庫県|奈良県|和歌山県|鳥取県|島根県|岡山県"
    "|広島県|山口県|徳島県|香川県|愛媛県|高知県|福岡県|佐賀県|長崎県|熊本県|大分県|宮崎県|鹿児島県|沖縄県"
)
_JAPANESE_CODE = re.compile(
    rf"〒 ?(?P<marked>\d{{3}}-?\d{{4}})(?![\d*])"
    rf"|{ALONE}(?P<bare>\d{{3}}-\d{{4}}){ENDED}(?P<after> ?(?:{_PREFECTURE}))?"
    rf"|(?:郵便番号|住所)[^0-9\n]{{0,6}}(?P<named>\d{{7}}){ENDED}"
)
_CODE_WORD = re.compile(
    r"(?:郵便番号|住所|postal code|post ?code|zip)[^0-9\n]{0,12}$", re.IGNORECASE
)
_STATES = (
    "AL|AK|AZ|AR|CA|CO|CT|DE|FL|GA|HI|ID|IL|IN|IA|KS|KY|LA|ME|MD|MA|MI|MN|MS|MO|MT|NE|NV|NH|NJ|NM"
    "|NY|NC|ND|OH|OK|OR|PA|RI|SC|SD|TN|TX|UT|VT|VA|WA|WV|WI|WY|DC"
)
_ZIP = re.compile(
    rf"(?:, ?(?:{_STATES})\.? |\b(?i:zip(?: ?code)?)(?i: is)?[:# ]{{1,3}})"
    rf"(?P<code>\d{{5}}(?:-\d{{4}})?){ENDED}"
)
# Royal Mail's format: area, district, space, sector, unit.
_POSTCODE = re.compile(
    r"(?<![A-Za-z0-9*-])[A-Z]{1,2}\d[A-Z\d]? \d[ABD-HJLNP-UW-Z]{2}(?![A-Za-z0-9*-])"
)
_BRITISH = re.compile(
    r"(?:\b(?i:post ?code)[^0-9\n]{0,12}|\b(?:London|Manchester|Birmingham|Leeds|Glasgow|Edinburgh"
    r"|Liverpool|Bristol|Sheffield|Cardiff|Belfast|Oxford|Cambridge|York|Brighton|Nottingham"
    r"|Leicester|Reading),? )$"
)


def postal_codes(text: str) -> Iterator[Span]:
    """Postal codes of Japan, the United States and Britain, if the context confirms them."""
    for found in _JAPANESE_CODE.finditer(text):
        group = "marked" if found["marked"] else "named" if found["named"] else "bare"
        named = group != "bare" or found["after"]
        if named or _CODE_WORD.search(text_before(found)):
            yield _code(found, group, 3)
    for found in _ZIP.finditer(text):
        yield _code(found, "code", 3)
    for found in _POSTCODE.finditer(text):
        if _BRITISH.search(text_before(found)):
            yield _code(found, 0, found[0].index(" "))


def _code(found: re.Match[str], group: str | int, shown: int) -> Span:
    code = found[group]
    masked = code[:shown] + stars(code[shown:])
    return Span(*found.span(group), "postal-code", "warning", masked)


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
    rf"|{_N} ?番地(?:の?\d{{1,4}})?|\d{{1,4}} ?番 ?\d{{1,4}} ?号"
    rf"|\d{{1,4}}-\d{{1,4}}(?:-\d{{1,4}}){{0,2}}(?!-?[\dA-Za-z*]| ?(?:{_UNIT})))"
    r"(?P<house>[ 　]?[ァ-ヴーA-Za-z一-龥]{2,16}[ 　]?(?:\d{2,4} ?号室|\d{1,2} ?階|\d{3,4}(?!\d)))?"
)
_ADDRESS_WORD = re.compile("住所|お届け先|配送先|送付先|所在地|宛先|自宅")
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


def streets(text: str) -> Iterator[Span]:
    """English street addresses and PO boxes."""
    for found in _STREET.finditer(text):
        lives = _LIVES.search(text_before(found))
        named = lives or _PLAIN_KIND.fullmatch(found["kind"])
        if found["flat"] or found["city"] or (named and not _NOT_STREETS.search(found["name"])):
            yield Span(*found.span(), "address", "warning", stars(found[0], keep_first=True))
    for found in _PO_BOX.finditer(text):
        yield Span(*found.span(), "address", "warning", re.sub(r"\d", "*", found[0]))


def japanese_addresses(text: str) -> Iterator[Span]:
    """Japanese addresses down to the block number; the mask keeps the region."""
    for found in matches_near(_JAPANESE_ADDRESS, PLOT, text, 40, 60):
        region = found["region"]
        sure = re.match(_PREFECTURE, region) or re.search(r"丁目|番地|号|-.*-", found["plot"])
        named = _ADDRESS_WORD.search(text_before(found, 20))
        if sure or named or (region.endswith(("区", "市")) and found["town"]):
            masked = region + stars(found[0][len(region) :])
            yield Span(*found.span(), "address", "warning", masked)
