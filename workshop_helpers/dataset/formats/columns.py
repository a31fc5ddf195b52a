"""What a field of a row, or a column of a table, is by its name: question, answer, what stands
around them, or a mark that says how the row is meant.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

# Lower-case names without spaces, underscores, brackets and trailing numbers (see `_plain`). Of
# several fields the first of these names is taken.
_NAMES = {
    "question": "question questions q ask query 質問 質問文 質問内容 問 問い 問合せ 問い合わせ"
    " 問合わせ 設問 疑問 ご質問 お問い合わせ お問合せ お問い合わせ内容 問い合わせ内容 instruction"
    " prompt userprompt usermessage userinput human user 指示 命令 プロンプト ユーザー ユーザ"
    " 入力文",
    "answer": "answer answers a response reply 回答 回答文 回答内容 答え 答 解答 返答 返信 応答"
    " ご回答 お答え 返信内容 対応 対応内容 output completion assistant bot gpt expectedanswer 出力"
    " 出力文 アシスタント 模範解答 期待する回答",
    "system": "system systemprompt systemmessage systeminstruction sysprompt システム"
    " システムプロンプト 役割",
    "history": "history chathistory conversationhistory dialoghistory dialoguehistory 履歴"
    " 会話履歴",
    "input": "input inputs context contexts passage passages paragraph paragraphs background 入力"
    " 補足 文脈 追加情報 背景情報",
}
# Only for tables: in JSON, "model" and "agent" say who wrote the row.
_IN_TABLES = {
    "question": " customer お客様 顧客",
    "answer": " model agent オペレーター 担当者",
}
# Names that are the question or the answer beyond doubt: two of them are one too many.
_CLEAR = {
    "question": {"question", "query", "prompt", "instruction", "質問", "質問文"},
    "answer": {"answer", "response", "output", "completion", "回答", "回答文"},
}
_ROLES = {name: role for role, names in _NAMES.items() for name in names.split()}


@dataclass(frozen=True)
class Columns:
    """The fields of a row that are the question, the answer and, optionally, system and input.

    given: they were named by a person, who knows what the other fields are.
    """

    question: str
    answer: str
    system: str | None = None
    input: str | None = None
    given: bool = False

    @property
    def known(self) -> tuple[str, ...]:
        """The names of these fields."""
        return tuple(filter(None, (self.question, self.answer, self.system, self.input)))

    def role(self, name: str) -> str | None:
        """What one of the other fields is: "system", "history" or "input", or None."""
        if name in self.known:
            return {self.system: "system", self.input: "input"}.get(name)
        role = role_of(name)
        return role if role in ("system", "history", "input") else None

    def doubles(self, names: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
        """Other fields that may as well be the question or the answer, with the one they repeat."""
        found = []
        for own, role in ((self.question, "question"), (self.answer, "answer")):
            if _plain(own) in _CLEAR[role]:
                same = (name for name in names if _plain(name) in _CLEAR[role])
                found += [(name, own) for name in same if name not in self.known]
        return tuple(found)


@lru_cache(maxsize=256)
def find_columns(names: tuple[str, ...], *, table: bool = False) -> Columns | None:
    """The question and answer columns among these names, in English or Japanese, or None.

    table: also take the names that say in JSON who wrote the row ("model", "担当者" …).
    """
    found = find_roles(names, table=table)
    return Columns(**found) if {"question", "answer"} <= found.keys() else None


def likely_columns(names: tuple[str, ...]) -> Columns:
    """The question and answer columns; the usual name for one that is not there."""
    return Columns(**{"question": "question", "answer": "answer", **find_roles(names)})


def find_roles(names: tuple[str, ...], *, table: bool = False) -> dict[str, Any]:
    """Which of the names is the "question", "answer", "system" and "input", where there is one."""
    plain: dict[str, str] = {}
    for name in names:
        plain.setdefault(_plain(name), name)
    found: dict[str, Any] = {}
    for role in ("question", "answer", "system", "input"):
        wanted = _NAMES[role] + (_IN_TABLES.get(role, "") if table else "")
        there = next((plain[name] for name in wanted.split() if name in plain), None)
        if there is not None:
            found[role] = there
    if "question" not in found and "answer" in found and "input" in found:
        found["question"] = found.pop("input")  # input and output: it is all there is to answer
    return found


@lru_cache(maxsize=4096)
def role_of(name: str) -> str | None:
    """What a field of this name is: "question", "answer", "system", "history", "input" or None."""
    return _ROLES.get(_plain(name))


def _plain(name: str) -> str:
    name = unicodedata.normalize("NFKC", name).casefold()
    return re.sub(r"[\s_\-・:;()\[\]【】「」<>*#.]+|(?<=\D)\d+$", "", name)
