"""Whether two statements are about the same subject: only then can they contradict each other.

Subjects are not understood, only compared. "Closing time is 17:00." says nothing of the day or the
branch: those stand in the question, or in a sentence before. Where the two differ in a word of
content, the subjects may differ too, and what looks like a contradiction is a note.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from .leakage import content

# What a rule is often different for: days, seasons, times of day, people, places.
_CASES = re.compile(
    r"\b(?:(?:mon|tues|wednes|thurs|fri|satur|sun)days?|week(?:day|end|night)s?|holidays?"
    r"|christmas|easter|new year's|spring|summer|autumn|winter|season|mornings?|afternoons?"
    r"|evenings?|nights?|adults?|child(?:ren)?|kids?|students?|pupils?|seniors?|pensioners?"
    r"|elderly|members?|guests?|visitors?|residents?|staff|groups?|famil(?:y|ies)|schools?"
    r"|express|overseas|abroad|premium|january|february|march|april|june|july|august|september"
    r"|october|november|december|(?:under|over|aged?) [0-9]{1,2})\b"
    r"|[月火水木金土日]曜|平日|週末|土日|祝日|祭日|年末|年始|元日|大みそか|お盆|連休|春|夏|秋|冬|朝|昼|夕方|夜"
    r"|午前|午後|[0-9]{1,2}月|大人|子ども|子供|小人|学生|生徒|シニア|高齢|[0-9]{1,3}[歳才]|会員|ビジター|市民|団体"
    r"|家族|ファミリー|プレミアム|速達|海外|北海道|沖縄|離島",
    re.I,
)
# Names: of branches, plans, towns. A word at the start of a sentence has a capital anyway.
_NAMES = re.compile(
    r"(?<=[a-z,] )[A-Z][a-z]+"
    r"|[一-龥ァ-ヴー]{1,8}?(?:支?店|[号本別新東西南北]館|コース|プラン|席|行き)"
)
_TOKEN = re.compile(r"[0-9]+|[a-z]+|[一-龥々]+|[ァ-ヴー]+")
_PIECE = re.compile(r"[a-z]+|[一-龥々]+|[ァ-ヴー]{2,}")
_HOW_MUCH = re.compile(r"\bhow (?:much|many|long|late|early|soon|far|old|is|are)\b", re.I)
# Words that ask for an amount, however it is asked for.
_ASKS = re.compile(
    r"(?:what|when|which|who|where|why|until|till|per|there|then|no|not|yes|also|right|sure|well"
    r"|cost|pric|fee|charg|rate|pay|open|clos|hour|time|start|begin|end|take|tak|need|get|say|ask"
    r"|possib)\w{0,3}"
    r"|(?:何|幾|時間?|分|日数?|年|円|期間|期限|料金|価格|値段|費用|代金|金額|営業|開店|閉店|開館|閉館|開始|終了|教|知|聞"
    r"|質問|確認|必要|場合|方|以内|可能|購入|利用|場所|案内|回答|答)+"
)


def cases(text: str) -> frozenset[str]:
    """The words of a text for what rules differ for: "saturday", "students", 夏, 会員."""
    return frozenset(found.lower().removesuffix("s") for found in _CASES.findall(text))


def may_differ(one: str, other: str) -> bool:
    """Whether two answers to one question speak of different cases, or each of its own name."""
    if cases(one) != cases(other):
        return True
    names = [frozenset(_NAMES.findall(text)) for text in (one, other)]
    return all(names) and names[0] != names[1]


def are_parallel(one: tuple[str, str], other: tuple[str, str]) -> bool:
    """Whether two alike rows (question, answer) say the like of two things: each question has a
    word of its own, and the answers repeat it or differ in a number.
    """
    (asked, said), (asked2, said2) = (
        [frozenset(_TOKEN.findall(text.lower())) for text in row] for row in (one, other)
    )
    own, own2 = asked - asked2, asked2 - asked
    if not own or not own2 or said == said2:
        return False
    return bool(own & said and own2 & said2) or any(token.isdigit() for token in said ^ said2)


def context(before: str, statement: str) -> frozenset[str]:
    """The words of content in what comes before a statement: question, earlier sentences.

    Without words that the statement repeats and words that ask for an amount.
    """
    said = content(statement)
    kept = {
        word
        for word in _PIECE.findall(content(_HOW_MUCH.sub("", before)))
        if not _ASKS.fullmatch(word)
    }
    return frozenset(word for word in kept if word not in said)


Around = tuple[frozenset[str], str]  # of a statement in a row: its `context`; question and answer


def same_subject(statement: str, usual: Sequence[Around], other: Sequence[Around]) -> bool:
    """Whether a statement that rows make with one amount, and others with another, has one subject.

    It has if it stands in the same context with both. It also has if it says itself what it is
    about (two words of content), and rows that ask in different words agree on the usual amount:
    what they have in common then tells the subject, and the other context must not lack it.
    """
    pairs = [(u[0], o[0]) for u in usual for o in other if not may_differ(u[1], o[1])]
    if any(one == two for one, two in pairs):
        return True
    own = [word for word in _PIECE.findall(content(statement)) if not _ASKS.fullmatch(word)]
    contexts = {words for words, _ in usual}
    if not pairs or len(own) < 2 or len(contexts) < 2:
        return False
    common = frozenset.intersection(*contexts)
    return any(common <= words for words, _ in other)
