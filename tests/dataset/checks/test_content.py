"""Garbled text, control characters, tokens, markup and secrets are found; look-alikes are not."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workshop_helpers.dataset.checks.check import check_texts
from workshop_helpers.dataset.checks.content import content_findings
from workshop_helpers.dataset.checks.findings import Finding
from workshop_helpers.dataset.checks.row import CheckedRow
from workshop_helpers.dataset.checks.secrets import find_secrets
from workshop_helpers.dataset.formats import Conversation, Message, read_conversations

SHOP = Path(__file__).parents[3] / "data" / "shop"
# Put together here, so that no scanner of the repository takes them for real.
BODY = "aB3dE5fG7hJ9kL1mN3pQ5rS7tU9vW1xY3zA5bC7dE9fG1hJ3kL5mN7pQ9rS1tU3vW5xY7zA9bC1dE3fG5hJ7kL9"


def row(answer: str, question: str = "?") -> Conversation:
    return Conversation((Message("user", question), Message("assistant", answer)), "rows.jsonl", 3)


def check_content(conversation: Conversation) -> list[Finding]:
    found = check_texts(CheckedRow(0, conversation))
    return [one for one in found if not one.rule.startswith("pii-")]


def rules(answer: str, question: str = "?") -> set[str]:
    return {found.rule for found in check_content(row(answer, question))}


def misread(text: str, written: str, read: str) -> str:
    return text.encode(written).decode(read, errors="replace").replace("\ufffd", "")


JA = "お問い合わせありがとうございます。送料は500円です。"
SECRETS = {
    "aws-key": "AKIA" + "QWERTYUIOPASDFGH",
    "github-token": "ghp_" + BODY[:36],
    "github-token ": "github_pat_" + BODY[:22] + "_" + BODY[:59],
    "openai-key": "sk-" + BODY[:48],
    "openai-key ": "sk-proj-" + BODY[:60],
    "anthropic-key": "sk-ant-" + "api03-" + BODY[:80],
    "google-key": "AIza" + "Sy" + BODY[:33],
    "slack-token": "xoxb-" + "123456789012-" + BODY[:24],
    "slack-webhook": "hooks.slack.com/" + "services/T0ABCDEF1/B0ABCDEF1/" + BODY[:24],
    "stripe-key": "sk_live_" + BODY[:24],
    "stripe-key ": "rk_test_" + BODY[:24],
    "hugging-face-token": "hf_" + BODY[:34],
    "gitlab-token": "glpat-" + BODY[:20],
    "npm-token": "npm_" + BODY[:36],
    "sendgrid-key": "SG." + BODY[:22] + "." + BODY[:43],
    "groq-key": "gsk_" + BODY[:52],
    "telegram-token": "123456789:AA" + BODY[:33],
    "web-token": "eyJ" + BODY[:20] + ".eyJ" + BODY[:30] + "." + BODY[:40],
    "private-key": "-----BEGIN RSA " + "PRIVATE KEY-----\n" + BODY[:64]
                   + "\n-----END RSA PRIVATE KEY-----",
    "url-password": "postgres" + "://shop:" + "tr0ub4dor" + "@db.example.com/mart",
}  # fmt: skip

FOUND = {
    "mojibake": [
        misread(JA, "utf-8", "cp932"), misread(JA, "utf-8", "latin-1"),
        misread(JA, "utf-8", "cp1252"), misread(JA, "utf-8", "gb18030"),
        misread("こんにちは。ありがとう。", "cp932", "latin-1"),
        misread("こんにちはありがとう", "euc_jp", "latin-1"),
        misread("こんにちはありがとうございます", "euc_jp", "cp932"), "縺ゅ", "譁�ｭ怜喧縺�",
        "文字�け", "The price is \ufffd500.", "cafÃ©", "itâ€™s fine", "â€œquotedâ€\x9d", "Â£50",
        "naÃ¯ve", "SchÃ¶n", "これは縺薙ｌ縺ｯです", "ユーザーの譁ｰ隕冗匳骭ｲです", "繝ｦ繝ｼ繧ｶ繝ｼ",
        "ÐŸÑ€Ð¸Ð²ÐµÑ‚", "外字\ue000です",
    ],
    "control-character": [
        "a\x00b", "bell\x07", "back\x08space", "\x1b[31mred\x1b[0m", "del\x7f", "vertical\x0btab",
        "form\x0cfeed", "lone\rreturn", "line\r\nline", "next\x85line", "c1\x90here",
        "お待ち\x02ください",
    ],
    "invisible-character": [
        "zero\u200bwidth", "\ufeffbom", "rtl\u202eoverride", "line\u2028separator",
        "soft\u00adhyphen", "送料\u200bは", "word\u2060joiner",
    ],
    "special-token": [
        "Hello<|im_end|>", "<|im_start|>user", "<|endoftext|>", "<start_of_turn>model",
        "end<end_of_turn>", "bye</s>", "[INST] hi [/INST]", "<<SYS>> x <</SYS>>", "<bos>hi",
        "<eos>", "<|eot_id|>", "<|begin_of_text|>", "<|start_header_id|>user", "<|user|>",
        "<|assistant|>", "はい。<|im_end|>", "```\n<|im_end|>\n```", "<pad>", "<unk>",
        "<think>hm</think>", "<tool_call>{}</tool_call>", "<unused7>",
    ],
    "html": [
        "Hello<br>world", "Hello<br/>world", "<p>Shipping is free.</p>", "<div class='a'>x</div>",
        "See <a href=\"https://example.com\">here</a>.", "<b>Important</b>",
        "送料は<strong>500円</strong>です。", "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>", "<!-- hidden -->", "<!DOCTYPE html>", "Tom &amp; Jerry",
        "a&nbsp;b", "5 &lt; 6", "it&#39;s", "<ul><li>one</li></ul>",
        "<table><tr><td>1</td></tr></table>", "<span style=\"color:red\">赤</span>",
        "<iframe src='https://example.com'></iframe>", "<h2>送料</h2>", "一行目<BR>二行目",
        "<em>yes</em>", "<font color=red>!</font>",
    ],
    "secret": [
        *SECRETS.values(), "api_key = '" + BODY[:32] + "'", "API_KEY=" + BODY[10:50],
        '"secret_key": "' + BODY[5:45] + '"', "Authorization: Bearer " + BODY[:40],
        "aws_secret_access_key = " + BODY[:40], "APIキーは" + BODY[:30] + "です",
        "AKIA" + "IOSFODNN7EXAMPLE", "password: hunter2", "My password is Tr0ub4dor&3",
        "PASSWORD=s3cr3t!9", "パスワード：mame2024shop", "Wi-Fiのパスワードは「Kumo#8810」です",
        "暗証番号は4821です",
    ],
}  # fmt: skip


@pytest.mark.parametrize("rule", FOUND)
def test_faults_are_found_in_question_and_answer(rule: str) -> None:
    for text in FOUND[rule]:
        assert rule in rules(text), text
        assert rule in rules("OK.", f"Please read this. {text}"), text


@pytest.mark.parametrize(("kind", "text"), SECRETS.items())
def test_keys_are_named_and_masked(kind: str, text: str) -> None:
    (secret,) = find_secrets(f"Use {text} for it.")
    assert (secret.kind, secret.severity) == (kind.strip(), "error")
    for found in check_content(row(f"Use {text} for it.")):
        assert text not in found.message + found.excerpt
        assert BODY[12:30] not in found.message + found.excerpt


LEFT_ALONE = [
    JA, "I <3 this shop", "a < b and c > d", "if x < 10: y > 5", "x<y", "1<2>3", "List<int> names",
    "Map<String, List<Integer>>", "std::vector<int> v;", "Vec<u8>", "Option<T>", "Promise<void>",
    "foo<bar>(baz)", "Array<string>", "Result<T, E>", "Box<dyn Error>", "<https://example.com>",
    "git commit -m <message>", "cd <folder>", "Usage: tool <input> <output>",
    "Enter <name> and <code>.", "<summary>", "Press <Enter>.", "<Ctrl>+<C>", "->", "<-", "<=", "=>",
    "<>", "<<", ">>>", "<|>", "<||>", "a <b c> d", "```html\n<div>hi</div>\n```",
    "Use `<br>` for a line break.", "`<script>` runs code", "```\n<p>x</p>", "~~~\n<b>x</b>\n~~~",
    "The <div> tag groups elements.", "<br>タグを使います。", "<table>要素の書き方", "Tom & Jerry",
    "R&D; Q&A", "AT&T", "x && y;", "a & b; c", "[1, 2, 3]", "[INSTALL]",
    "[link](https://example.com)", "INSTALL", "[x]", "[ ] todo", "25°C", "¥500", "3 × 4 ± 2", "§5",
    "© 2024", "café", "naïve résumé", "Straße, schön", "¿Qué?", "“quotes” – dash — …", "‘it’s’",
    "100 µm", "Ω = 5", "½ cup", "x² + y³", "Привет, мир", "Γειά σου", "Crème brûlée à la carte",
    "El niño comió", "Zürich", "São Paulo", "Đà Nẵng", "Ångström", "£50 and €20", "voilà", "à",
    "Ça va", "Ünïcödé", "Łódź", "✓ done", "→ next", "★★★", "😀👍🏽👨‍👩‍👧", "🇯🇵", "①②③",
    "糸が縺れる", "縺れた糸", "繧繝模様", "ｱｲｳ", "ﾊﾝｶｸ ｶﾀｶﾅ", "㈱まめ", "髙島", "﨑", "々〆ヶ",
    "〜から～まで", "「『』」", "・・・", "한국어", "中文简体", "中文繁體", "ไทย", "العربية",
    "עברית", "हिन्दी", "می\u200cخواهم", "a\tb", "a\nb", "- one\n- two", "1. a\n2. b",
    "```python\nprint('a')\n```", "def f(x): return x", "password", "Reset your password here.",
    "Your password must have 8 characters.", "password: str", "password=password",
    "password = get_password()", "password=os.environ['PW']", "password: ********",
    "password: <your password>", "passwordは必要です", "パスワードを再設定してください。",
    "パスワードは8文字以上です。", "パスワード再設定リンクは60分有効です。", "パスワード：",
    "暗証番号を入力してください。", "password_hash", "db_password_2",
    "api_key = os.getenv('API_KEY')", "api_key=YOUR_API_KEY_GOES_RIGHT_HERE", "token limit is 4096",
    "max_tokens=1024", "tokenizer.from_pretrained('gpt2')", "token: Optional[str] = None",
    "secret garden", "The secret is good beans.", "sk-learn", "sk-xxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    "ghp_" + "x" * 36, "hf_transfer", "AIza", "eyJ", "AKIA", "Bearer token",
    "risk-adjusted-return-portfolio", "task-management-application-framework",
    "disk-encryption-configuration-utility", "550e8400-e29b-41d4-a716-446655440000",
    "9fceb02d0ae598e95dc970b74767f19372d61af8",
    "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "https://example.com/a/very/long/path/that/goes/on/and/on", "https://example.com:8080/@user",
    "http://localhost:3000", "https://user@example.com/", "postgres://user:password@localhost/db",
    "https://<user>:<password>@example.com", "mysql://root:${DB_PASSWORD}@db",
    "internationalization", "supercalifragilisticexpialidocious",
    "Donaudampfschifffahrtsgesellschaft", "workshop_helpers.dataset.checks.personal_data_check",
    "torch.nn.functional.scaled_dot_product_attention",
    "TypeError: unsupported operand type(s) for +: 'int' and 'str'",
    "ModuleNotFoundError: No module named 'numpy'", "Traceback (most recent call last):",
    '  File "a.py", line 1, in <module>', "<class 'int'>", "<function f at 0x7f3a2c0d5e50>",
    "<__main__.A object at 0x7f8b>", "<lambda>", "<stdin>", "<string>",
    "std::cout << x << std::endl;", "#include <iostream>", "#include <stdio.h>",
    "import java.util.*;", "SELECT * FROM t WHERE a < 5 AND b > 3;", "for (int i=0;i<n;i++)",
    "echo $HOME > out.txt", "cat < in.txt", "x = y if a<b else c", "p<0.05", "<50%", "5<x<10",
    "3 <= 4", "A<B", "i<u>p", "-----", "-----BEGIN CERTIFICATE-----",
    "-----BEGIN " + "PRIVATE KEY-----\n...", "=====", "______________________________",
    "----------------------------------------", "| a | b |\n|---|---|", "2024-01-15", "12,980円",
    "$6.99", "9:00〜18:00", "03-1234-5678", "ISBN 978-4-06-519981-4", "v1.2.3-rc.1+build.5",
    "C:\\Users\\mame", "/usr/local/bin", "data:image/png;base64,", "abcdefghijklmnopqrstuvwxyz",
    "0123456789012345678901234567890", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
]  # fmt: skip


def test_look_alikes_are_left_alone() -> None:
    found = [(text, one.rule) for text in LEFT_ALONE for one in check_content(row(text))]
    assert found == []


def test_the_shops_rows_are_clean_and_hold_no_personal_data() -> None:
    for name in ("train", "general"):
        for language in ("en", "ja"):
            for conversation in read_conversations(SHOP / f"{name}.{language}.jsonl"):
                assert not check_texts(CheckedRow(0, conversation))


def test_an_answer_about_html_may_show_some() -> None:
    assert rules("Write <p>text</p> around it.", "How do I make a paragraph in HTML?") == set()
    assert rules("<p>text</p>", "How much is shipping?") == {"html"}


def test_mojibake_is_shown_with_what_it_was() -> None:
    for text, was in ((misread("送料は無料です", "utf-8", "cp932"), "送料"), ("cafÃ©", "café")):
        (found,) = check_content(row(text))
        assert was in found.message


@pytest.mark.parametrize(
    ("text", "severity"),
    [
        ("a\x00b", "error"), ("a\r\nb", "warning"), ("x<|im_end|>", "error"),
        ("<think>x</think>", "warning"), ("<b>x</b>", "warning"), ("cafÃ©", "error"),
        ("\ue000", "warning"), ("sk-" + BODY[:48], "error"),
        ("AKIA" + "IOSFODNN7EXAMPLE", "warning"), ("password: hunter2", "warning"),
    ],
)  # fmt: skip
def test_severity_says_how_surely_it_harms(text: str, severity: str) -> None:
    assert [found.severity for found in check_content(row(text))] == [severity]


def test_reports_show_control_characters_and_hide_personal_data() -> None:
    (found,) = check_content(row("taro@mame-mart.com\x1b[0m"))
    assert "\x1b" not in found.excerpt and "␛" in found.excerpt
    assert "taro" not in found.excerpt


def test_every_turn_is_looked_at() -> None:
    roles = ("system", "user", "assistant", "user", "assistant")
    for place in range(5):
        texts = ["ok"] * place + ["a\x00"] + ["ok"] * (4 - place)
        (found,) = check_content(Conversation(tuple(map(Message, roles, texts)), "a", 1))
        assert f"turn {place + 1}" in found.message


def test_half_characters_are_reported() -> None:
    assert rules("a\ud83d") == {"encoding"}


PIECES = st.sampled_from([text for texts in FOUND.values() for text in texts] + LEFT_ALONE)


@settings(max_examples=100, deadline=None)
@given(st.one_of(st.lists(PIECES, max_size=4).map(" ".join), st.text(max_size=60)))
def test_the_first_look_misses_nothing(text: str) -> None:
    conversation = row(text)
    assert check_content(conversation) == content_findings(conversation)


SLOW = [
    "<div ", "<", "&#", "`", "縺", "é ", "¤³", "sk-", "token ", "password:", "http://", "eyJ",
    "\x80", "ｱ漢", "<!--", "-----BEGIN PRIVATE KEY-----",
]  # fmt: skip


@pytest.mark.parametrize("piece", SLOW)
def test_long_texts_do_not_take_forever(piece: str) -> None:
    # Quadratic time would be minutes here; the suite's time limit is the judge.
    check_content(row(piece * 3000))
