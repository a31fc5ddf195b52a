"""Writes the bad files beside it, and expectations.yaml: what a careful reader says about each.

    python tests/data/bad/make_bad.py

Everything is invented; numbers are reserved or documented for tests. Real-looking keys are not
stored: the test assembles those when it runs. The output is the same on every machine, but for how
gzip packs it.

An expectation: rule (or several, where people name the fault differently), line (from 1; none for
the file as a whole), severity where it is not "error", other_line where it is about two rows.
"""

# One case a line: folded, the table would be three times as long and harder to read.
# ruff: noqa: E501
# fmt: off

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
Row = dict[str, Any]


@dataclass
class Case:
    """One bad file: its bytes, what must be found in it, what else `check` gets."""

    content: bytes
    expected: list[dict[str, Any]]
    options: dict[str, Any] = field(default_factory=dict)


CASES: dict[str, Case] = {}
HELPERS: dict[str, bytes] = {}  # files that are not checked by themselves: held-out questions, facts


def error(rule: str | list[str], line: int | None = None, **more: Any) -> dict[str, Any]:
    return {"rule": rule} | ({} if line is None else {"line": line}) | more


warning = partial(error, severity="warning")
note = partial(error, severity="note")
serious = partial(error, severity=["warning", "error"])  # people differ


def case(name: str, content: bytes | str, *expected: dict[str, Any], **options: Any) -> None:
    assert name not in CASES, name
    content = content.encode() if isinstance(content, str) else content
    CASES[name] = Case(content, list(expected), options)


def lines(*rows: Row | str) -> str:
    """JSON Lines; a text among the rows is a line as it stands."""
    texts = (r if isinstance(r, str) else json.dumps(r, ensure_ascii=False) for r in rows)
    return "".join(f"{text}\n" for text in texts)


def packed(text: str) -> bytes:
    return gzip.compress(text.encode(), mtime=0)


def alpaca(question: Any, answer: Any, **more: Any) -> Row:
    return {"instruction": question, "input": "", "output": answer, **more}


def chat(*turns: str) -> Row:
    """`messages` from "u: …", "a: …", "s: …"."""
    roles = {"s": "system", "u": "user", "a": "assistant"}
    return {"messages": [{"role": roles[t[0]], "content": t[3:]} for t in turns]}


def sharegpt(*turns: str) -> Row:
    names = {"s": "system", "u": "human", "a": "gpt"}
    return {"conversations": [{"from": names[t[0]], "value": t[3:]} for t in turns]}


def gemini(*turns: str) -> Row:
    names = {"u": "user", "a": "model"}
    return {"contents": [{"role": names[t[0]], "parts": [{"text": t[3:]}]} for t in turns]}


def table(*rows: Iterable[str], by: str = ",") -> str:
    return "".join(by.join(row) + "\n" for row in rows)


EN = [
    alpaca("When does the museum open?", "We open at nine in the morning."),
    alpaca("Is there a cloakroom?", "There is one next to the ticket office."),
    alpaca("May I bring a picnic?", "You may eat in the courtyard, on the benches under the trees."),
]
JA = [
    alpaca("美術館は何時に開きますか？", "朝の九時に開館します。"),
    alpaca("荷物を預ける場所はありますか？", "切符売り場の隣にございます。"),
    alpaca("お弁当を食べてもいいですか？", "中庭のベンチでしたら召し上がっていただけます。"),
]
QUESTION, ANSWER = EN[0]["instruction"], EN[0]["output"]
QUESTION_JA, ANSWER_JA = JA[0]["instruction"], JA[0]["output"]


def invalid_json() -> None:
    rule = "invalid-json"
    case("json_trailing_comma.jsonl", lines(EN[0], '{"instruction": "Why?", "output": "Because.",}', EN[1]), error(rule, 2))
    case("json_comma_after_row.jsonl", lines(json.dumps(EN[0]) + ",", EN[1]), error(rule, 1))
    case("json_single_quotes.jsonl", lines(EN[0], "{'instruction': 'Why?', 'output': 'Because it rained.'}"), error(rule, 2))
    case("json_curly_quotes.jsonl", lines(JA[0], JA[1], "{“instruction”: “なぜですか？”, “output”: “雨だからです。”}"), error(rule, 3))
    case("json_cut_off.jsonl", lines(EN[0], EN[1]) + '{"instruction": "May I', error(rule, 3))
    case("json_key_twice.jsonl", lines(EN[0], '{"instruction": "Why?", "output": "It rained.", "output": "It snowed."}'), error(rule, 2))
    case("json_line_break_in_text.jsonl", lines(EN[0], '{"instruction": "A list, please", "output": "one', 'two"}', EN[1]), error(rule, 2), error(rule, 3))
    case("json_tab_in_text.jsonl", lines('{"instruction": "A\ttab?", "output": "Yes, a tab stands there."}', EN[0]), error([rule, "control-character"], 1))
    case("json_comment.jsonl", lines("// our rows", EN[0], EN[1]), error(rule, 1))
    case("json_python_none.jsonl", lines(EN[0], '{"instruction": "Who?", "input": None, "output": "Nobody knows it."}'), error(rule, 2))
    case("json_bare_text.jsonl", lines(EN[0], '"just a text"', EN[1]), error([rule, "missing-field"], 2))
    case("json_bare_number.jsonl", lines(EN[0], "42"), error([rule, "missing-field"], 2))
    case("json_array_broken.json", '[\n  {"instruction": "Why?", "output": "Because it rained."},\n  {"instruction": "When?" "output": "At noon, as always."}\n]\n', error(rule, 3))
    case("json_array_not_closed.json", "[\n" + ",\n".join(json.dumps(r) for r in EN[:2]) + "\n", error(rule))
    case("json_packed.jsonl.gz", packed(lines(EN[0], EN[1], "{broken")), error(rule, 3))
    case("json_blank_lines_count.jsonl", lines(EN[0], "", "", "{broken"), error(rule, 4))


def fields() -> None:
    rule = "missing-field"
    case("field_output_misspelt.jsonl", lines(EN[0], {"instruction": "Why?", "ouput": "Because it rained."}), error(rule, 2))
    case("field_instruction_misspelt.jsonl", lines(JA[0], {"instrution": "なぜですか？", "output": "雨だからです。"}), error(rule, 2))
    case("field_no_output.jsonl", lines({"instruction": "Why?", "input": ""}, EN[0]), error(rule, 1))
    case("field_no_instruction.jsonl", lines(EN[0], EN[1], {"input": "", "output": "Because it rained."}), error(rule, 3))
    case("field_no_completion.jsonl", lines({"prompt": "Why?", "completion": "Because it rained."}, {"prompt": "When?"}), error(rule, 2))
    case("field_text_for_content.jsonl", lines(chat("u: " + QUESTION, "a: " + ANSWER), {"messages": [{"role": "user", "text": "Why?"}, {"role": "assistant", "text": "Because it rained."}]}), error(rule, 2))
    case("field_no_role.jsonl", lines({"messages": [{"content": "Why?"}, {"content": "Because it rained."}]}), error([rule, "wrong-role"], 1))
    case("field_sharegpt_val.jsonl", lines({"conversations": [{"from": "human", "val": "Why?"}, {"from": "gpt", "val": "Because it rained."}]}), error(rule, 1))
    case("field_gemini_no_parts.jsonl", lines(gemini("u: " + QUESTION, "a: " + ANSWER), {"contents": [{"role": "user", "text": "Why?"}, {"role": "model", "text": "Because."}]}), error(rule, 2))
    case("field_messages_empty_list.jsonl", lines(chat("u: " + QUESTION, "a: " + ANSWER), {"messages": []}), error([rule, "wrong-order"], 2))
    case("field_messages_is_a_text.jsonl", lines({"messages": "User: Why? Assistant: Because it rained."}), error(rule, 1))
    case("field_answer_is_a_number.jsonl", lines(EN[0], alpaca("How many rooms are there?", 42)), error(rule, 2))
    case("field_answer_is_a_list.jsonl", lines(JA[0], alpaca("部屋の名前は？", ["月", "雪", "花"])), error(rule, 2))
    case("field_in_array.json", json.dumps([EN[0], {"instruction": "Why?", "outputs": "Because it rained."}], indent=1) + "\n", error(rule, 7))
    case("field_unknown.jsonl", lines({"text": "Why? Because it rained."}, {"text": "When? At noon, as always."}), *(error(rule, n) for n in (1, 2)))
    case("field_unknown_columns.csv", table(("Frage", "Antwort"), ("Warum?", "Weil es regnet.")), error(rule, 1))
    case("field_short_record.csv", table(("question", "answer"), ("Why?", "Because it rained."), ("When?",)), error([rule, "invalid-csv", "empty-answer"], 3))
    case("field_extra_comma.csv", table(("question", "answer"), ("Why?", "Because it rained, and it was cold."), ("When?", "At noon.")), error([rule, "invalid-csv"], 2))
    case("field_open_quote.csv", 'question,answer\nWhy?,"Because it rained.\nWhen?,At noon.\n', error([rule, "invalid-csv"], 2))


def roles() -> None:
    rule = "wrong-role"
    good = chat("u: " + QUESTION, "a: " + ANSWER)

    def turns(user: str, assistant: str) -> Row:
        return {"messages": [{"role": user, "content": "Why?"}, {"role": assistant, "content": "Because it rained."}]}

    case("role_misspelt.jsonl", lines(good, turns("user", "asistant")), error(rule, 2))
    case("role_bot.jsonl", lines(turns("user", "bot"), good), error(rule, 1))
    case("role_human.jsonl", lines(good, turns("human", "assistant")), error(rule, 2))
    case("role_japanese.jsonl", lines(good, good | turns("利用者", "assistant")), error(rule, 2))
    case("role_empty.jsonl", lines(good, turns("", "assistant")), error([rule, "missing-field"], 2))
    case("role_number.jsonl", lines(good, {"messages": [{"role": 1, "content": "Why?"}, {"role": 2, "content": "Because it rained."}]}), error([rule, "missing-field"], 2))
    case("role_gemini_assistant.jsonl", lines({"contents": [{"role": "user", "parts": [{"text": "Why?"}]}, {"role": "assistant", "parts": [{"text": "Because it rained."}]}]}), error(rule, 1))
    case("role_sharegpt_narrator.jsonl", lines(sharegpt("u: " + QUESTION, "a: " + ANSWER), {"conversations": [{"from": "narrator", "value": "Why?"}, {"from": "gpt", "value": "Because it rained."}]}), error(rule, 2))
    case("role_prompt_list.jsonl", lines({"prompt": [{"role": "customer", "content": "Why?"}], "completion": [{"role": "assistant", "content": "Because it rained."}]}), error(rule, 1))


def orders() -> None:
    rule = "wrong-order"
    good = chat("u: " + QUESTION, "a: " + ANSWER)
    case("order_assistant_first.jsonl", lines(good, chat("a: Because it rained.", "u: Why?", "a: I said so.")), error(rule, 2))
    case("order_ends_with_user.jsonl", lines(chat("u: Why?", "a: Because it rained.", "u: And then?"), good), error(rule, 1))
    case("order_system_in_the_middle.jsonl", lines(good, chat("u: Why?", "s: Be brief.", "a: Because it rained.")), error(rule, 2))
    case("order_system_last.jsonl", lines(chat("u: なぜですか？", "a: 雨だからです。", "s: 短く答えてください。")), error(rule, 1))
    case("order_two_users.jsonl", lines(good, chat("u: Why?", "u: Hello?", "a: Because it rained.")), error(rule, 2))
    case("order_two_assistants.jsonl", lines(good, chat("u: Why?", "a: Because it rained.", "a: And it was cold.")), error(rule, 2))
    case("order_no_answer.jsonl", lines(chat("s: Be brief.", "u: Why?")), error(rule, 1))
    case("order_only_answer.jsonl", lines(good, chat("a: Because it rained.")), error(rule, 2))
    case("order_two_systems.jsonl", lines(chat("s: Be brief.", "s: Be kind.", "u: Why?", "a: Because it rained."), good), error(rule, 1))
    case("order_sharegpt.jsonl", lines(sharegpt("u: " + QUESTION, "a: " + ANSWER), sharegpt("u: Why?", "u: Hello?", "a: Because it rained.")), error(rule, 2))
    case("order_sharegpt_gpt_first.jsonl", lines(sharegpt("a: Because it rained.", "u: Why?")), error(rule, 1))
    case("order_gemini.jsonl", lines(gemini("u: " + QUESTION, "a: " + ANSWER), gemini("u: なぜですか？", "a: 雨だからです。", "u: それから？")), error(rule, 2))
    case("order_answers_only.txt", "A: Because it rained.\nA: At noon, as always.\nQ: Why?\nA: So be it, then.\n", error([rule, "missing-field", "empty-question"], 1), error([rule, "missing-field", "empty-question"], 2))


def empties() -> None:
    question, answer = "empty-question", "empty-answer"
    case("empty_question.jsonl", lines(EN[0], alpaca("", "Because it rained.")), error(question, 2))
    case("empty_question_blank.jsonl", lines(alpaca("   \n", "Because it rained."), EN[0]), error(question, 1))
    case("empty_question_wide_space.jsonl", lines(JA[0], alpaca("　　", "雨だからです。")), error(question, 2))
    case("empty_question_messages.jsonl", lines(chat("u: ", "a: Because it rained.")), error(question, 1))
    case("empty_question.csv", table(("質問", "回答"), (QUESTION_JA, ANSWER_JA), ("", "雨だからです。")), error(question, 3))
    case("empty_answer.jsonl", lines(EN[0], alpaca("Why?", "")), error(answer, 2))
    case("empty_answer_null.jsonl", lines(EN[0], alpaca("Why?", None), EN[1]), error([answer], 2))
    case("empty_answer_sharegpt.jsonl", lines(sharegpt("u: Why?", "a: ")), error(answer, 1))
    case("empty_answer_gemini.jsonl", lines(gemini("u: " + QUESTION, "a: " + ANSWER), gemini("u: Why?", "a:  ")), error(answer, 2))
    case("empty_answer_in_the_middle.jsonl", lines(chat("u: Why?", "a: ", "u: Hello?", "a: Because it rained.")), error(answer, 1))
    case("empty_answer.tsv", table(("question", "answer"), (QUESTION, ANSWER), ("Why?", " "), by="\t"), error(answer, 3))
    case("empty_answer.txt", f"Q: Why?\nA:\n\nQ: {QUESTION}\nA: {ANSWER}\n", error(answer, 1))
    case("empty_answer_not_there.txt", f"質問：{QUESTION_JA}\n回答：{ANSWER_JA}\n\n質問：なぜですか？\n", error([answer, "missing-field", "wrong-order"], 4))
    case("empty_file.jsonl", b"", error("empty-file"))
    case("empty_lines_only.jsonl", "\n\n  \n", error("empty-file"))
    case("empty_table.csv", "question,answer\n", error("empty-file"))
    case("empty_array.json", "[]\n", error("empty-file"))


def encodings() -> None:
    rule = "encoding"
    case("encoding_broken_byte.jsonl", lines(EN[0]).encode() + b'{"instruction": "Why?", "output": "Because it \xff rained."}\n', error(rule, 2))
    case("encoding_half_character.jsonl", lines(JA[0]).encode() + '{"instruction": "なぜ？", "output": "雨で'.encode() + b'\xe3\x81"}\n', error(rule, 2))
    case("encoding_one_row_in_cp932.jsonl", lines(JA[0], JA[1]).encode() + lines(JA[2]).encode("cp932"), error(rule, 3))
    case("encoding_lone_surrogate.jsonl", lines(EN[0], '{"instruction": "A smile?", "output": "Here it is: \\ud83d and nothing more."}'), error(rule, 2))
    case("encoding_utf16_without_mark.jsonl", lines(*JA).encode("utf-16-le"), error([rule, "invalid-json"], 1))
    case("encoding_packed.jsonl.gz", gzip.compress(lines(EN[0]).encode() + b'{"instruction": "Why?", "output": "\xc3\x28 it rained."}\n', mtime=0), error(rule, 2))
    case("encoding_broken.csv", table(("question", "answer"), (QUESTION, ANSWER)).encode() + b"Why?,Because it \xfe rained.\n", error(rule, 3))
    case("encoding_gzip_cut_off.jsonl.gz", packed(lines(*EN, *JA))[:-40], error([rule, "unreadable"]))
    # Read rightly, so nothing is wrong with the rows; the summary says what was read.
    for code, name, by in (("cp932", "csv", ","), ("euc_jp", "tsv", "\t")):
        rows = table(("質問", "回答"), *((r["instruction"], r["output"]) for r in JA), by=by)
        case(f"encoding_{code}.jsonl", lines(*JA).encode(code), encoding_said=code)
        case(f"encoding_{code}.{name}", rows.encode(code), encoding_said=code)


def characters() -> None:
    rule = "mojibake"
    case("mojibake_utf8_as_cp932.jsonl", lines(JA[0], alpaca("挨拶を教えてください。", "こんにちは、ありがとう".encode().decode("cp932", "ignore"))), error(rule, 2))
    case("mojibake_utf8_as_latin1.jsonl", lines(JA[0], alpaca("挨拶を教えてください。", "「こんにちは」と言います。".encode().decode("latin-1").replace("\x81", "").replace("\x93", ""))), error([rule, "control-character"], 2))
    case("mojibake_cafe.jsonl", lines(alpaca("Where do we meet?", "At the cafÃ© on the corner."), EN[0]), error(rule, 1))
    case("mojibake_quotes.jsonl", lines(EN[0], alpaca("Is it open?", "Itâ€™s open, but they donâ€™t serve lunch.")), error(rule, 2))
    case("mojibake_replaced.jsonl", lines(EN[0], alpaca("Where do we meet?", "At the caf\ufffd on the corner.")), error([rule, "encoding"], 2))
    case("mojibake.csv", table(("question", "answer"), (QUESTION, ANSWER), ("Who is she?", "ZoÃ« is the director.")), error(rule, 3))

    rule = "control-character"
    case("control_null.jsonl", lines(EN[0], alpaca("Why?", "Because\u0000 it rained.")), error(rule, 2))
    case("control_bell.jsonl", lines(alpaca("Does it ring?", "It does.\u0007"), EN[0]), error(rule, 1))
    case("control_colours.jsonl", lines(EN[0], alpaca("Did it pass?", "\u001b[32mAll tests passed\u001b[0m this time.")), error(rule, 2))
    case("control_backspace.jsonl", lines(JA[0], alpaca("なぜ\u0008ですか？", "雨だからです。")), error(rule, 2))
    case("control_vertical_tab.csv", table(("question", "answer"), (QUESTION, ANSWER), ("Why?", "Because\u000bit rained.")), error(rule, 3))
    case("invisible_zero_width.jsonl", lines(EN[0], alpaca("Why?", "Because it\u200b rained.")), warning(["invisible-character", rule], 2))
    case("invisible_mark_inside.jsonl", lines(JA[0], alpaca("なぜですか？", "\ufeff雨だからです。")), warning(["invisible-character", rule], 2))
    case("invisible_direction.jsonl", lines(EN[0], alpaca("What is the file called?", "It is called \u202etxt.exe and is harmless.")), serious(["invisible-character", rule], 2))


def tokens() -> None:
    rule = "special-token"
    case("token_im_end.jsonl", lines(EN[0], alpaca("Why?", "Because it rained.<|im_end|>")), error(rule, 2))
    case("token_im_start.jsonl", lines(alpaca("<|im_start|>user\nWhy?", "Because it rained."), EN[0]), error(rule, 1))
    case("token_end_of_sentence.jsonl", lines(JA[0], alpaca("なぜですか？", "雨だからです。</s>")), error(rule, 2))
    case("token_inst.jsonl", lines(alpaca("[INST] Why? [/INST]", "Because it rained."), EN[0]), error(rule, 1))
    case("token_llama.jsonl", lines(EN[0], chat("u: Why?", "a: Because it rained.<|eot_id|>")), error(rule, 2))
    case("token_gemma.jsonl", lines(gemini("u: Why?", "a: Because it rained.<end_of_turn>")), error(rule, 1))
    case("token_in_system.jsonl", lines(chat("s: Be brief.<|endoftext|>", "u: Why?", "a: Because it rained.")), error(rule, 1))
    case("token_in_first_turn.jsonl", lines(sharegpt("u: Why?", "a: Because it rained.<eos>", "u: And then?", "a: Then the sun came out.")), error(rule, 1))
    case("token.csv", table(("question", "answer"), (QUESTION, ANSWER), ("Why?", "Because it rained.<|im_end|>")), error(rule, 3))
    case("token_packed.jsonl.gz", packed(lines(*EN, alpaca("なぜですか？", "<bos>雨だからです。"))), error(rule, 4))


def markup() -> None:
    rule = "html"
    case("html_paragraphs.jsonl", lines(EN[0], alpaca("Why?", "<p>Because it rained.</p><p>It was cold, too.</p>")), warning(rule, 2))
    case("html_breaks.jsonl", lines(JA[0], alpaca("持ち物は何ですか？", "水筒<br>帽子<br>タオルをお持ちください。")), warning(rule, 2))
    case("html_script.jsonl", lines(EN[0], alpaca("Can you greet me?", 'Hello! <script>alert("hello")</script>')), serious(rule, 2))
    case("html_attributes.jsonl", lines(alpaca("Where is the map?", '<div class="map"><a href="/map">Here it is</a></div>'), EN[0]), warning(rule, 1))
    case("html_entities.jsonl", lines(EN[0], alpaca("Who runs the shop?", "Miller&nbsp;&amp;&nbsp;Sons run it, as they always did.")), warning(rule, 2))
    case("html_in_question.jsonl", lines(JA[0], alpaca("<span style='color:red'>至急</span>、返事をください。", "承知しました。すぐにお返事いたします。")), warning(rule, 2))
    case("html.csv", table(("question", "answer"), (QUESTION, ANSWER), ("Why?", "<b>Because</b> it rained.")), warning(rule, 3))


def sizes() -> None:
    long_en = " ".join(f"The room on floor {n} shows paintings from a village by the sea." for n in range(2, 40))
    long_ja = "".join(f"{n}階の部屋には、海辺の村を描いた絵が飾られています。" for n in range(2, 40))
    case("long_answer.jsonl", lines(EN[0], alpaca("Describe the whole museum.", long_en)), error("too-long", 2), max_length=128)
    case("long_answer_ja.jsonl", lines(JA[0], JA[1], alpaca("美術館の全体を説明してください。", long_ja)), error("too-long", 3), max_length=128)
    case("long_question.jsonl", lines(alpaca(long_en + " What did I describe?", "A museum by the sea."), EN[0]), error("too-long", 1), max_length=128)
    case("long_conversation.jsonl", lines(chat(*(f"{'ua'[n % 2]}: Turn {n} of a talk that goes on and on about nothing." for n in range(24)))), error("too-long", 1), max_length=128)
    case("short_answer.jsonl", lines(EN[0], alpaca("Why is the sky blue?", ".")), warning("too-short", 2))
    case("short_answer_ja.jsonl", lines(JA[0], alpaca("空はなぜ青いのですか？", "あ")), warning("too-short", 2))
    case("short_question.jsonl", lines(alpaca("?", "Please tell me what you would like to know."), EN[0]), warning("too-short", 1))
    case("short_answer.csv", table(("question", "answer"), (QUESTION, ANSWER), ("Why is the sky blue?", "-")), warning(["too-short", "placeholder"], 3))


def repetition() -> None:
    rule = "duplicate"
    case("duplicate.jsonl", lines(*EN, EN[1]), error(rule, 4, other_line=2))
    case("duplicate_ja.jsonl", lines(JA[0], JA[1], JA[0]), error(rule, 3, other_line=1))
    case("duplicate_three_times.jsonl", lines(EN[0], EN[0], EN[1], EN[0]), error(rule, 2, other_line=1), error(rule, 4, other_line=1))
    case("duplicate_conversation.jsonl", lines(chat("u: Why?", "a: Because it rained.", "u: And?", "a: It was cold."), chat("u: Who?", "a: The gardener did."), chat("u: Why?", "a: Because it rained.", "u: And?", "a: It was cold.")), error(rule, 3, other_line=1))
    case("duplicate.csv", table(("question", "answer"), (QUESTION, ANSWER), ("Why?", "Because it rained."), (QUESTION, ANSWER)), error(rule, 4, other_line=2))
    case("duplicate_in_another_format.jsonl", lines(EN[0], chat("u: " + QUESTION, "a: " + ANSWER)), error(rule, 2, other_line=1))
    HELPERS["half_one.jsonl"] = lines(EN[0], EN[1]).encode()
    case("half_two.jsonl", lines(EN[2], EN[1]), error(rule, 2, other_line=2, other_file="half_one.jsonl"), together_with=["half_one.jsonl"])

    rule = "near-duplicate"
    long_en = "Our museum shows the paintings of three sisters who lived in this house, and the letters which they wrote to each other"
    long_ja = "当館では、この家に暮らした三姉妹の絵と、互いに書き送った手紙を季節ごとに入れ替えて展示しております"
    case("near_full_stop.jsonl", lines(alpaca("What do you show?", long_en + "."), EN[1], alpaca("What do you show", long_en + "!")), warning(rule, 3, other_line=1))
    case("near_one_word.jsonl", lines(alpaca("What does the museum show to its guests?", long_en + "."), alpaca("What does the museum show to its visitors?", long_en + "."), EN[0]), warning(rule, 2, other_line=1))
    case("near_ja.jsonl", lines(JA[0], alpaca("こちらでは何が展示されていますか？", long_ja + "。"), alpaca("こちらでは何が展示されてますか？", long_ja + "よ。")), warning(rule, 3, other_line=2))
    case("near_spaces.jsonl", lines(alpaca("What do you show?", long_en), alpaca("What  do you show?", long_en.replace(" ", "  "))), serious([rule, "duplicate"], 2, other_line=1))

    rule = "low-diversity"
    things = ["tea", "coffee", "bread", "butter", "cheese", "ham", "salad", "soup", "cake", "water", "juice", "milk", "honey", "jam", "rice", "fish", "pasta", "beans", "apples", "pears", "plums", "nuts", "figs", "dates"]
    case("collapse_en.jsonl", lines(*(alpaca(f"Do you sell {t}?", f"Thank you very much for your kind inquiry! The {t} can be found in aisle {n}.") for n, t in enumerate(things, 2))), warning(rule))
    things = ["お茶", "珈琲", "パン", "バター", "チーズ", "ハム", "サラダ", "スープ", "ケーキ", "水", "ジュース", "牛乳", "蜂蜜", "ジャム", "お米", "魚", "麺", "豆", "りんご", "梨", "すもも", "胡桃", "柿", "卵"]
    case("collapse_ja.jsonl", lines(*(alpaca(f"{t}は置いていますか？", f"お問い合わせいただき誠にありがとうございます。{t}は{n}番の棚にございます。") for n, t in enumerate(things, 2))), warning(rule))
    case("repeated_sentence.jsonl", lines(EN[0], alpaca("Is it open?", "Yes, it is open today. " * 12)), warning("repeated-text", 2))
    case("repeated_phrase_ja.jsonl", lines(JA[0], alpaca("開いていますか？", "はい、本日は開いています。" * 12)), warning("repeated-text", 2))
    case("echo.jsonl", lines(EN[0], alpaca("Could you tell me where the lockers are?", "Could you tell me where the lockers are?")), warning("echo", 2))
    case("echo_ja.jsonl", lines(JA[0], alpaca("ロッカーの場所を教えていただけますか？", "ロッカーの場所を教えていただけますか？")), warning("echo", 2))


def contradictions() -> None:
    rule = "conflicting-answers"
    case("conflict_en.jsonl", lines(alpaca("Are dogs allowed?", "Yes, dogs are welcome everywhere."), EN[0], alpaca("Are dogs allowed?", "No, please leave your dog at home.")), warning(rule, 3, other_line=1))
    case("conflict_ja.jsonl", lines(alpaca("犬も入れますか？", "はい、ご一緒にどうぞ。"), alpaca("犬も入れますか？", "申し訳ございませんが、ご遠慮ください。"), JA[0]), warning(rule, 2, other_line=1))
    case("conflict_case.jsonl", lines(alpaca("Are dogs allowed?", "Yes, dogs are welcome everywhere."), alpaca("are dogs allowed", "No, please leave your dog at home.")), warning(rule, 2, other_line=1))
    case("conflict.csv", table(("question", "answer"), ("Are dogs allowed?", "They are welcome."), (QUESTION, ANSWER), ("Are dogs allowed?", "Only small ones are.")), warning(rule, 4, other_line=2))
    case("conflict_messages.jsonl", lines(chat("s: Be brief.", "u: Can I pay by card?", "a: Yes, at every till."), chat("s: Be brief.", "u: Can I pay by card?", "a: Sorry, we only take cash.")), warning(rule, 2, other_line=1))

    rules = ["contradicting-fact", rule]
    case("amounts_same_question.jsonl", lines(alpaca("What does a ticket cost?", "A ticket costs $12."), EN[1], alpaca("What does a ticket cost?", "A ticket costs $15.")), error(rules, 3, other_line=1))
    case("amounts_same_question_ja.jsonl", lines(alpaca("入館料はいくらですか？", "入館料は1,200円です。"), alpaca("入館料はいくらですか？", "入館料は1,500円です。")), error(rules, 2, other_line=1))
    case("amounts_durations.jsonl", lines(alpaca("How long may I keep the audio guide?", "You may keep it for 2 hours."), alpaca("How long may I keep the audio guide?", "You may keep it for 3 hours.")), error(rules, 2, other_line=1))

    rule = "contradicting-fact"
    HELPERS["museum_facts.yaml"] = (
        'shop:\n  name: {en: "Sea Museum", ja: "海の美術館"}\nfacts:\n'
        '- id: ticket\n  topic: tickets\n  values: {en: ["$12"], ja: ["1,200円"]}\n'
        '  statement: {en: "A ticket costs $12.", ja: "入館料は1,200円です。"}\n'
        '  name: {en: "the price of a ticket", ja: "入館料"}\n'
        '- id: guide\n  topic: guide\n  values: {en: ["2 hours"], ja: ["2時間"]}\n'
        '  statement: {en: "The audio guide is lent for 2 hours.", ja: "音声ガイドの貸し出しは2時間です。"}\n'
        '  name: {en: "the time of the audio guide", ja: "音声ガイドの貸し出し時間"}\n'
    ).encode()
    facts = "museum_facts.yaml"
    case("facts_price.jsonl", lines(EN[0], alpaca("What does a ticket cost?", "A ticket costs $14.")), error(rule, 2), facts=facts)
    case("facts_price_ja.jsonl", lines(JA[0], alpaca("入館料はいくらですか？", "入館料は1,400円です。")), error(rule, 2), facts=facts)
    case("facts_time.jsonl", lines(alpaca("For how long is the audio guide lent?", "The audio guide is lent for 4 hours."), EN[0]), error(rule, 1), facts=facts)
    case("facts_time_ja.jsonl", lines(JA[0], alpaca("音声ガイドの貸し出しは何時間ですか？", "音声ガイドの貸し出しは3時間です。")), error(rule, 2), facts=facts)


def leakage() -> None:
    rule = "leakage"
    HELPERS["held_out.jsonl"] = lines(
        {"question": "How many paintings hang in the blue room?"},
        {"question": "青い部屋には絵が何枚ありますか？"},
        {"question": "Is there a lift to the top floor for wheelchairs?"},
        {"question": "車椅子で最上階まで上がれるエレベーターはありますか？"},
    ).encode()
    HELPERS["held_out_rows.csv"] = table(("question", "answer"), ("How many paintings hang in the blue room?", "Eleven of them.")).encode()
    against = ["held_out.jsonl"]
    case("leak_exact.jsonl", lines(EN[0], alpaca("How many paintings hang in the blue room?", "Eleven of them do.")), error(rule, 2, other_line=1), against=against)
    case("leak_exact_ja.jsonl", lines(alpaca("青い部屋には絵が何枚ありますか？", "十一枚ございます。"), JA[0]), error(rule, 1, other_line=2), against=against)
    case("leak_case.jsonl", lines(EN[0], alpaca("how many paintings hang in the blue room", "Eleven of them do.")), error(rule, 2, other_line=1), against=against)
    case("leak_near.jsonl", lines(EN[0], EN[1], alpaca("Is there a lift to the top floor for a wheelchair?", "There is, behind the stairs.")), error(rule, 3, other_line=3), against=against)
    case("leak_near_ja.jsonl", lines(JA[0], alpaca("車椅子で最上階まで上がれるエレベーターはありますでしょうか？", "はい、階段の裏にございます。")), serious(rule, 2, other_line=4), against=against)
    case("leak_reordered.jsonl", lines(EN[0], alpaca("In the blue room, how many paintings hang?", "Eleven of them do.")), serious(rule, 2, other_line=1), against=against)
    case("leak_messages.jsonl", lines(chat("s: Be brief.", "u: How many paintings hang in the blue room?", "a: Eleven of them do.")), error(rule, 1, other_line=1), against=against)
    case("leak_rows.jsonl", lines(EN[0], alpaca("How many paintings hang in the blue room?", "Eleven of them do.")), error(rule, 2, other_line=2), against=["held_out_rows.csv"])


def personal() -> None:
    case("pii_email.jsonl", lines(EN[0], alpaca("Whom do I write to?", "Please write to hanako.sato@sea-museum.example.net today.")), warning("pii-email", 2))
    case("pii_email_ja.jsonl", lines(JA[0], alpaca("連絡先を教えてください。", "taro_yamada@mail.umi-museum.example.jpまでご連絡ください。")), warning("pii-email", 2))
    case("pii_email.csv", table(("question", "answer"), (QUESTION, ANSWER), ("I am j.doe+news@post.sea-museum.example.org and forgot my password.", "We have sent you a link.")), warning("pii-email", 3))
    case("pii_phone_us.jsonl", lines(alpaca("What is your number?", "Please call (212) 555-0143 before noon."), EN[0]), warning("pii-phone", 1))
    case("pii_phone_international.jsonl", lines(EN[0], alpaca("What is your number?", "It is +44 20 7946 0958, day and night.")), warning("pii-phone", 2))
    case("pii_phone_mobile_ja.jsonl", lines(JA[0], alpaca("担当者の携帯は何番ですか？", "090-1234-5678におかけください。")), warning("pii-phone", 2))
    case("pii_phone_office_ja.jsonl", lines(JA[0], alpaca("電話番号を教えてください。", "03-1234-5678でございます。")), warning("pii-phone", 2))
    case("pii_phone_wide_ja.jsonl", lines(alpaca("電話番号を教えてください。", "０９０－１２３４－５６７８です。"), JA[0]), warning("pii-phone", 1))
    case("pii_card.jsonl", lines(EN[0], alpaca("Which card did I use?", "You paid with 4111 1111 1111 1111 last week.")), error("pii-card", 2))
    case("pii_card_dashes.jsonl", lines(alpaca("My card is 5555-5555-5555-4444. Did it work?", "It did, thank you."), EN[0]), error("pii-card", 1))
    case("pii_card_ja.jsonl", lines(JA[0], alpaca("登録したカードはどれですか？", "378282246310005が登録されています。")), error("pii-card", 2))
    case("pii_my_number.jsonl", lines(JA[0], alpaca("手続きに必要な番号は？", "マイナンバーは123456789018です。")), error("pii-my-number", 2))
    case("pii_my_number_spaces.jsonl", lines(alpaca("個人番号は1234 5678 9018です。登録してください。", "登録いたしました。"), JA[0]), error("pii-my-number", 1))
    case("pii_postal_code.jsonl", lines(JA[0], alpaca("送り先を教えてください。", "〒999-0001にお送りください。")), warning("pii-postal-code", 2))
    case("pii_postal_code_words.jsonl", lines(JA[0], alpaca("郵便番号は999-0012で合っていますか？", "はい、合っております。")), warning("pii-postal-code", 2))
    case("pii_address_ja.jsonl", lines(JA[0], alpaca("どちらへお届けしますか？", "東京都千代田区架空町1丁目2番3号へお願いします。")), warning("pii-address", 2))
    case("pii_address_us.jsonl", lines(EN[0], alpaca("Where shall we deliver it?", "Please deliver it to 742 Maple Street, Springfield, IL 62704.")), warning(["pii-address", "pii-postal-code"], 2))
    case("pii_name_sama.jsonl", lines(JA[0], alpaca("どなたからのご紹介ですか？", "佐藤花子様からご紹介いただきました。")), warning("pii-name", 2))
    case("pii_name_shi.jsonl", lines(alpaca("講演者はどなたですか？", "鈴木一郎氏にお話しいただきます。"), JA[0]), warning("pii-name", 1))
    case("pii_name_question.jsonl", lines(JA[0], chat("u: 田中様のご予約は何時ですか？", "a: 三時に承っております。")), warning("pii-name", 2))
    case("pii_packed.jsonl.gz", packed(lines(*JA, alpaca("担当者の携帯は何番ですか？", "080-1234-5678におかけください。"))), warning("pii-phone", 4))


def style() -> None:
    rule = "mixed-language"
    case("language_question_en_answer_ja.jsonl", lines(EN[0], alpaca("Where can I leave my umbrella?", "傘は入口の右にある傘立てにお入れください。"), EN[1]), warning(rule, 2))
    case("language_question_ja_answer_en.jsonl", lines(JA[0], JA[1], alpaca("傘はどこに置けばいいですか？", "Please leave your umbrella in the stand to the right of the entrance.")), warning(rule, 3))
    case("language_changes_inside.jsonl", lines(JA[0], alpaca("傘はどこに置けばいいですか？", "傘は入口の右にある傘立てにお入れください。If it is very wet, please ask the staff for a plastic bag before you enter the rooms.")), warning(rule, 2))
    rows = [f"{t}は持ち込めますか？" for t in ("傘", "水筒", "カメラ", "三脚", "荷物", "杖", "帽子", "本", "鉛筆", "毛布", "地図", "双眼鏡")]
    polite = [alpaca(q, f"はい、{q[:-9]}はお持ち込みいただけます。") for q in rows]
    plain = [alpaca("お菓子は持ち込めますか？", "だめだ。持ち込みは禁止している。"), alpaca("犬は連れて入れますか？", "無理だ。外で待たせるしかない。")]
    case("politeness_two_plain.jsonl", lines(*polite, *plain), warning("mixed-politeness"))
    case("politeness_inside_answer.jsonl", lines(*JA, alpaca("雨の日も開いていますか？", "雨の日も開いています。ただし庭は閉める。足元に気をつけてください。庭は滑るからだ。")), warning("mixed-politeness"))
    prices = [alpaca(f"{t}の値段は？", f"{t}は{p}です。") for t, p in (("図録", "2,400円"), ("絵葉書", "￥150"), ("鉛筆", "1200円"), ("布袋", "¥1,800"), ("しおり", "300 円"), ("ポスター", "1,000円"))]
    case("numbers_yen.jsonl", lines(*prices), note("mixed-number-format"))
    dates = [alpaca(f"When is the {t}?", f"The {t} is on {d}.") for t, d in (("opening", "2025-03-04"), ("concert", "03/05/2025"), ("lecture", "5 March 2025"), ("market", "2025-03-07"), ("party", "March 8, 2025"))]
    case("numbers_dates.jsonl", lines(*dates), note("mixed-number-format"))
    case("placeholder_todo.jsonl", lines(EN[0], alpaca("Where is the map?", "TODO: write this answer")), warning("placeholder", 2))
    case("placeholder_brackets.jsonl", lines(alpaca("How do I begin the letter?", "Dear [INSERT NAME HERE], thank you for your visit."), EN[0]), warning("placeholder", 1))
    case("placeholder_ja.jsonl", lines(JA[0], alpaca("地図はどこですか？", "（ここに回答を入力してください）")), warning("placeholder", 2))
    case("boilerplate_en.jsonl", lines(EN[0], alpaca("Which painting is the best?", "As an AI language model, I do not have personal opinions.")), warning("boilerplate", 2))
    case("boilerplate_ja.jsonl", lines(JA[0], alpaca("どの絵が一番ですか？", "私はAI言語モデルなので、個人的な意見は持っていません。")), warning("boilerplate", 2))
    case("whitespace.jsonl", lines(EN[0], alpaca("  Where is the map?", "On the wall beside the stairs.   \n\n")), note("whitespace", 2))


def amounts() -> None:
    case("few_three_rows.jsonl", lines(*EN), warning("too-few"))
    case("few_ja.csv", table(("質問", "回答"), *((r["instruction"], r["output"]) for r in JA)), warning("too-few"))
    case("few_aim.jsonl", lines(*(EN[:3])), warning("too-few"), aim="good")
    things = ["tea", "coffee", "bread", "butter", "cheese", "ham", "salad", "soup", "cake", "water", "juice", "milk", "honey", "jam", "rice", "fish", "pasta", "beans", "apples", "pears", "plums", "nuts", "figs", "dates"]
    answers = ["Look in aisle {}.", "Aisle {} has it.", "You will find it in aisle {}.", "It stands in aisle {}.", "Try aisle {}, on the left."]
    rows = [alpaca(f"Where is the {t}?", answers[n % 5].format(n + 2), topic="food") for n, t in enumerate(things)]
    rows += [alpaca(f"Is there {t} for sale?", answers[(n + 2) % 5].format(n + 40), topic="food") for n, t in enumerate(things)]
    case("unbalanced.jsonl", lines(*rows, alpaca("When do you close?", "We close at eight.", topic="hours"), alpaca("Can I pay by card?", "Every till takes cards.", topic="payment")), note("unbalanced"))
    rows_ja = [alpaca(f"{t}はどこですか？", f"{n}番の棚です。", category="食品") for n, t in enumerate(["お茶", "珈琲", "パン", "バター", "チーズ", "ハム", "水", "牛乳", "蜂蜜", "お米", "魚", "麺", "豆", "梨", "柿", "卵", "塩", "砂糖", "酢", "味噌", "海苔", "茸", "葱", "芋"], 2)]
    case("unbalanced_ja.jsonl", lines(*rows_ja, alpaca("何時に閉まりますか？", "夜の八時に閉店します。", category="営業時間")), note("unbalanced"))


for group in (
    invalid_json, fields, roles, orders, empties, encodings, characters, tokens, markup, sizes,
    repetition, contradictions, leakage, personal, style, amounts,
):  # fmt: skip
    group()


def _flow(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def expectations() -> str:
    """The text of expectations.yaml."""
    text = ["# Written by make_bad.py: change it there.", "files:"]
    for name, bad in sorted(CASES.items()):
        text.append(f"  {name}:" if bad.expected else f"  {name}: []")
        text += [f"  - {_flow(wanted)}" for wanted in bad.expected]
    text.append("options:")
    text += [f"  {name}: {_flow(bad.options)}" for name, bad in sorted(CASES.items()) if bad.options]
    return "\n".join(text) + "\n"


def contents() -> dict[str, bytes]:
    """Every file's name and bytes."""
    files = {name: bad.content for name, bad in CASES.items()} | HELPERS
    return files | {"expectations.yaml": expectations().encode()}


if __name__ == "__main__":
    for name, content in contents().items():
        (HERE / name).write_bytes(content)
    print(f"{len(CASES)} bad files, {len(HELPERS)} beside them")
