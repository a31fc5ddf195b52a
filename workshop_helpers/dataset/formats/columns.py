"""Which fields of a row, or columns of a table, are the question and the answer."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

from .conversation import Message, Messages
from .faults import Fields, field_text

# Lower-case names without spaces, underscores, brackets and trailing numbers (see `_plain`).
_NAMES = {
    "question": "question questions q ask query 質問 質問文 質問内容 問 問い 問合せ 問い合わせ"
    " 問合わせ 設問 疑問 ご質問 お問い合わせ お問合せ お問い合わせ内容 問い合わせ内容",
    "answer": "answer answers a response reply 回答 回答文 回答内容 答え 答 解答 返答 返信 応答"
    " ご回答 お答え 返信内容 対応 対応内容",
    "system": "system systemprompt システム システムプロンプト 役割",
    "input": "input context 入力 補足 文脈 追加情報",
}
# Only for tables: in JSON these names belong to other formats.
_IN_TABLES = {
    "question": "instruction prompt user usermessage userinput human customer 指示 命令 プロンプト"
    " ユーザー ユーザ お客様 顧客 入力文",
    "answer": "output completion assistant bot gpt model agent expectedanswer 出力 出力文"
    " アシスタント オペレーター 担当者 模範解答 期待する回答",
}


@dataclass(frozen=True)
class Columns:
    """The fields of a row that are the question, the answer and, optionally, system and input."""

    question: str
    answer: str
    system: str | None = None
    input: str | None = None

    @property
    def known(self) -> tuple[str, ...]:
        """The names of these fields."""
        return tuple(filter(None, (self.question, self.answer, self.system, self.input)))

    def read(self, row: Fields) -> Messages:
        """The messages of a row; RowFault for a missing or empty field."""
        question = field_text(row, self.question, known=self.known, rule="empty-question")
        answer = field_text(row, self.answer, known=self.known, rule="empty-answer")
        context = row.get(self.input) if self.input else None
        if isinstance(context, str) and context.strip():
            question = f"{question}\n\n{context}"
        system = row.get(self.system) if self.system else None
        start = (Message("system", system),) if isinstance(system, str) and system.strip() else ()
        return (*start, Message("user", question), Message("assistant", answer))


@lru_cache(maxsize=256)
def find_columns(names: tuple[str, ...], *, table: bool = False) -> Columns | None:
    """The question and answer columns among these names, in English or Japanese, or None.

    table: also take the names that JSON shapes use ("instruction", "output", "プロンプト" …).
    """
    found = find_roles(names, table=table)
    return Columns(**found) if {"question", "answer"} <= found.keys() else None


def find_roles(names: tuple[str, ...], *, table: bool = False) -> dict[str, str]:
    """Which of the names is the "question", "answer", "system" and "input", where there is one."""
    plain: dict[str, str] = {}
    for name in names:
        plain.setdefault(_plain(name), name)
    found: dict[str, str] = {}
    for role, names_of_role in _NAMES.items():
        wanted = names_of_role.split() + (_IN_TABLES.get(role, "").split() if table else [])
        there = next((plain[name] for name in wanted if name in plain), None)
        if there is not None:
            found[role] = there
    return found


def _plain(name: str) -> str:
    name = unicodedata.normalize("NFKC", name).casefold()
    return re.sub(r"[\s_\-・:;()\[\]【】「」<>*#.]+|(?<=\D)\d+$", "", name)
