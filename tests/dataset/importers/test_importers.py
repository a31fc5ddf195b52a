"""Rows made of tables, FAQ pages and code: the source's own words, nothing lost in silence."""

from __future__ import annotations

import ast
import contextlib
import random
import textwrap
from pathlib import Path

import pytest

from workshop_helpers.core.errors import WorkshopError
from workshop_helpers.dataset.formats import Message, read_conversations, write_conversations
from workshop_helpers.dataset.importers import rows_from_faq, rows_from_python, rows_from_table


@pytest.fixture
def page(tmp_path: Path):
    def write(text: str, name: str = "faq.md", encoding: str = "utf-8") -> Path:
        path = tmp_path / name
        path.write_bytes(textwrap.dedent(text).lstrip("\n").encode(encoding))
        return path

    return write


def pairs(rows) -> list[tuple[str, str]]:
    return [(row.question, row.answer) for row in rows]


def test_a_table_in_japanese_is_recognised(page):
    path = page("番号,質問,回答\n1,送料は？,500円です。\n2,返品は？,14日以内です。\n", "faq.csv")
    rows = rows_from_table(path)
    assert pairs(rows) == [("送料は？", "500円です。"), ("返品は？", "14日以内です。")]


def test_columns_of_any_name_can_be_given_but_both_and_no_others(page):
    path = page("frage,antwort\nShipping?,$6.99\n", "t.csv")
    rows = rows_from_table(path, question="frage", answer="antwort")
    assert pairs(rows) == [("Shipping?", "$6.99")]
    with pytest.raises(WorkshopError, match="Name both"):
        rows_from_table(path, question="frage")
    with pytest.raises(WorkshopError, match="nope"):
        rows_from_table(path, question="nope", answer="antwort")


def test_an_excel_sheet_becomes_rows(tmp_path):
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    lines = [
        ["Question", "Answer"], ["Shipping?", "It costs $6.99."], ["返品は？", "14日以内です。"],
    ]  # fmt: skip
    for line in lines:
        book.active.append(line)
    book.save(tmp_path / "faq.xlsx")
    rows = rows_from_table(tmp_path / "faq.xlsx")
    assert pairs(rows) == [("Shipping?", "It costs $6.99."), ("返品は？", "14日以内です。")]
    assert [row.line for row in rows] == [2, 3]


def test_equal_and_incomplete_lines_of_a_table_are_told(page):
    path = page("question,answer\nA?,Yes.\nA?,Yes.\nB?,\n", "faq.csv")
    made = rows_from_table(path)
    assert pairs(made) == [("A?", "Yes.")]
    assert made.skipped["the same as a row before"] == 1
    assert [fault.line for fault in made.faults] == [4]
    assert "1 the same as a row before" in made.summary()


def test_headings_that_ask_are_questions_and_those_above_their_topic(page):
    path = page(
        """
        ---
        title: Help
        ---
        # FAQ

        Read this first.

        ## Shipping

        ### How much is shipping?

        It costs **$6.99**.
        Orders over $50 ship free.

        ### 送料について教えてください

        500円です。

        ## Returns

        ### Can I return an item?

        Yes:

        1. Log in.
        2. Print the label.
           - at home
           - in a shop

        Then post it, see [the page](https://example.com/returns).
        """
    )
    rows = rows_from_faq(path)
    assert pairs(rows) == [
        ("How much is shipping?", "It costs $6.99. Orders over $50 ship free."),
        ("送料について教えてください", "500円です。"),
        (
            "Can I return an item?",
            "Yes:\n\n1. Log in.\n2. Print the label.\n   - at home\n   - in a shop\n\n"
            "Then post it, see the page (https://example.com/returns).",
        ),
    ]
    assert [row.extra.get("topic") for row in rows] == ["Shipping", "Shipping", "Returns"]
    text = path.read_text(encoding="utf-8").split("\n")
    assert all(row.question in text[row.line - 1] for row in rows)
    assert rows.skipped["paragraphs that answer no question"] == 1


def test_bold_questions_with_their_answer_beside_or_below(page):
    path = page(
        """
        **How long does delivery take?** 2-4 business days.

        **Can I pay by card?**
        Yes, by any card.

        **返品できますか？**

        はい。14日以内に：

        - 未使用のもの
        - 箱入りのもの

        **Note** this is no question.
        """
    )
    assert pairs(rows_from_faq(path)) == [
        ("How long does delivery take?", "2-4 business days."),
        ("Can I pay by card?", "Yes, by any card."),
        (
            "返品できますか？",
            "はい。14日以内に：\n\n- 未使用のもの\n- 箱入りのもの\n\nNote this is no question.",
        ),
    ]


def test_labels_in_paragraphs_lists_and_headings(page):
    path = page(
        """
        Q: Shipping?
        A: $6.99.
        Free over $50.
        Q2. Express?
        A2. $14.99.

        質問：送料は？
        回答：500円です。

        - **Q: Gift wrap?** A: Yes, $3.
        - Q: Points?

          A: They expire after 12 months.

        ### Q. 営業時間

        A. 9:00〜18:00です。
        """
    )
    assert pairs(rows_from_faq(path)) == [
        ("Shipping?", "$6.99.\nFree over $50."), ("Express?", "$14.99."),
        ("送料は？", "500円です。"), ("Gift wrap?", "Yes, $3."),
        ("Points?", "They expire after 12 months."), ("営業時間", "9:00〜18:00です。"),
    ]  # fmt: skip


def test_code_and_tables_survive_as_plain_text(page):
    path = page(
        """
        ## How do I read a file?

        ```python
        with open("a.txt") as f:
            print(f.read())
        ```

        Use `open`.

        | mode | for |
        | --- | --- |
        | r | reading |
        """
    )
    (row,) = rows_from_faq(path)
    assert row.answer == (
        '```python\nwith open("a.txt") as f:\n    print(f.read())\n```\n\n'
        "Use `open`.\n\nmode | for\nr | reading"
    )


def test_html_inside_markdown_is_read_and_its_line_is_right(page):
    path = page(
        """
        # Help

        <details>
        <summary>How much is shipping?</summary>

        It costs **$6.99**.

        </details>
        <details><summary>Express?</summary>$14.99.</details>
        """
    )
    rows = rows_from_faq(path)
    assert pairs(rows) == [("How much is shipping?", "It costs $6.99."), ("Express?", "$14.99.")]
    assert [row.line for row in rows] == [3, 9]


def test_headings_that_do_not_ask_are_taken_only_where_nothing_asks(page):
    rows = rows_from_faq(page("# Shop\n\n## Shipping\n\n$6.99.\n\n## Returns\n\n14 days.\n"))
    assert pairs(rows) == [("Shipping", "$6.99."), ("Returns", "14 days.")]
    assert "look them through" in rows.note
    rows = rows_from_faq(page("## Shipping\n\n$6.99.\n\n## Can I return it?\n\nYes.\n"))
    assert pairs(rows) == [("Can I return it?", "Yes.")]


def test_details_definitions_and_headings_of_a_page(page):
    path = page(
        """
        <!doctype html><html><head><title>What is this?</title><style>p{}</style></head><body>
        <nav><h2>Where do I find the menu?</h2></nav>
        <h1>FAQ</h1>
        <h2>Shipping</h2>
        <details><summary>How much is <b>shipping</b>?</summary>
          <p>It costs <b>$6.99</b> &amp; no more.</p><ul><li>EU<li>US</ul></details>
        <h2>Returns</h2>
        <dl><dt>Can I return it?<dt>Is there a time limit?<dd>Within 14 days.<br>Unused.</dl>
        <h3>Who pays?<a class="headerlink" href="#x">¶</a></h3><div><p>You do.<p>We refund.</div>
        <script>alert("How?")</script>
        <footer><p>Example Inc.</p></footer>
        </body></html>
        """,
        "faq.html",
    )
    rows = rows_from_faq(path)
    assert pairs(rows) == [
        ("How much is shipping?", "It costs $6.99 & no more.\n\n- EU\n- US"),
        ("Can I return it?", "Within 14 days.\nUnused."),
        ("Is there a time limit?", "Within 14 days.\nUnused."),
        ("Who pays?", "You do.\n\nWe refund."),
    ]
    assert [row.extra["topic"] for row in rows] == ["Shipping", "Returns", "Returns", "Returns"]
    lines = path.read_text(encoding="utf-8").split("\n")
    assert "<details>" in lines[rows[0].line - 1] and "Who pays?" in lines[rows[3].line - 1]


def test_the_pages_own_faq_data_is_preferred(page):
    data = """{"@context": "https://schema.org", "@graph": [
        {"@type": "WebSite", "name": "x"},
        {"@type": ["WebPage", "FAQPage"], "mainEntity": [
            {"@type": "Question", "name": "How much is shipping?", "acceptedAnswer":
                {"@type": "Answer", "text": "<p>$6.99.</p><ul><li>a</li></ul>"}},
            {"@type": "Question", "name": "返品は？",
                "acceptedAnswer": {"text": "14日以内\\n未使用"}},
            {"@type": "Question", "name": "No answer?"}]}]}"""
    script = f'<script type="application/ld+json">{data}</script>'
    rows = rows_from_faq(page(f"{script}<h2>How much is it?</h2><p>$6.99.</p>", "faq.html"))
    found = [("How much is shipping?", "$6.99.\n\n- a"), ("返品は？", "14日以内\n未使用")]
    assert pairs(rows) == found
    assert "JSON-LD" in rows.note
    assert rows.skipped["marked as questions, but without an answer"] == 1


def test_broken_page_data_is_told_and_the_visible_page_read(page):
    script = '<script type="application/ld+json">{"@type": "FAQPage",}</script>\n'
    rows = rows_from_faq(page(f"{script}<h2>How much is it?</h2><p>$6.99.</p>", "faq.html"))
    assert pairs(rows) == [("How much is it?", "$6.99.")]
    assert rows.faults[0].rule == "invalid-json" and rows.faults[0].line == 1


@pytest.mark.parametrize(
    ("html", "answer"),
    [
        ("<h2>Q?</h2><p>2 * 3_4 * 5 # [x] **y</p>", "2 * 3_4 * 5 # [x] **y"),
        ("<h2>Q?</h2><?php echo 1 ?><!-- c --><ol start='²'><li>a</ol>", "1. a"),
        ("<h2>Q?</h2><pre>a\n\n\n  ```b</pre>", "````\na\n\n\n  ```b\n````"),
        ("<h2>Q?</h2>全角　空白</br>x&nbsp; y", "全角　空白\nx y"),
        ("<h2>Q?</h2><div>a <b> b</b><p>c <svg>d</svg></div>", "a b\n\nc"),
    ],
)
def test_an_answer_is_the_text_of_the_page_without_marks_that_it_does_not_have(page, html, answer):
    assert pairs(rows_from_faq(page(html, "faq.html"))) == [("Q?", answer)]


def test_half_a_character_in_the_pages_data_is_told(page):
    data = '{"@type": "FAQPage", "mainEntity": {"@type": "Question", "name": "A \\ud800?", '
    data += '"acceptedAnswer": {"text": "<p>Yes"}}}'
    with pytest.raises(WorkshopError, match="half of a character"):
        rows_from_faq(page(f'<script type="application/ld+json">{data}</script>', "faq.html"))


def test_microdata_of_a_page(page):
    html = """
    <div itemscope itemtype="https://schema.org/FAQPage">
    <div itemscope itemprop="mainEntity" itemtype="https://schema.org/Question">
      <span itemprop="name">Shipping</span>
      <div itemscope itemprop="acceptedAnswer" itemtype="https://schema.org/Answer">
        <div itemprop="text">It costs<br>$6.99.</div></div></div></div>
    """
    assert pairs(rows_from_faq(page(html, "faq.html"))) == [("Shipping", "It costs\n$6.99.")]


def test_a_page_in_shift_jis_is_read(page):
    html = "<h2>送料はいくらですか？</h2><p>通常の送料は500円です。</p>"
    rows = rows_from_faq(page(html, "faq.html", "cp932"))
    assert pairs(rows) == [("送料はいくらですか？", "通常の送料は500円です。")]


@pytest.mark.parametrize(
    "html",
    [
        "<div>" * 5000 + "<h2>Deep?</h2><p>Yes." + "</div>" * 5000,
        "</p></div><h2>Open?<p>Yes.</h2><li>a<li><td>b</ul>",
        "<h2>Cut off?</h2><p>Yes<a href='",
        "<dl><dd>no term</dd><dt>Q?</dt></dl><h2>And this?</h2>yes",
    ],
)
def test_broken_html_is_never_a_traceback(page, html):
    try:
        rows = rows_from_faq(page(html, "faq.html"))
    except WorkshopError:
        return
    assert all(row.question.strip() and row.answer.strip() for row in rows)


def test_random_pages_are_never_a_traceback(page):
    pieces = [
        "<h2>", "</h2>", "<p>", "</p>", "<details>", "<summary>", "</details>", "<dl>", "<dt>",
        "<dd>", "</dl>", "<ul>", "<li>", "</ul>", "What?", "Yes.", "\n\n", "## ", "**", "Q: ",
        "A: ", "- ", "1. ", "```", "|", "<!--", "-->", "&amp;", "&#0;", "\x00", "質問：",
        "<a href=x>", "<br>", "<script type='application/ld+json'>", "{", "</script>",
    ]  # fmt: skip
    chance = random.Random(0)
    made = 0
    for _ in range(400):
        text = "".join(chance.choices(pieces, k=chance.randrange(1, 60)))
        for name in ("faq.html", "faq.md"):
            with contextlib.suppress(WorkshopError):
                made += len(rows_from_faq(page(text or "x", name)))
    assert made > 50


def test_a_page_without_questions_says_what_was_looked_for(page):
    with pytest.raises(WorkshopError, match=r"no question.*details/summary.*質問"):
        rows_from_faq(page("Only a paragraph.\n"))
    with pytest.raises(WorkshopError, match="neither Markdown"):
        rows_from_faq(page("x", "faq.pdf"))
    with pytest.raises(WorkshopError, match="There is no file"):
        rows_from_faq("missing.md")


def test_a_control_token_of_a_template_does_not_get_into_a_row(page):
    token = "<|im" + "_end|>"
    rows = rows_from_faq(page(f"## Safe?\n\nYes.\n\n## How does it end?\n\nWith `{token}`.\n"))
    assert pairs(rows) == [("Safe?", "Yes.")]
    assert rows.faults[0].rule == "special-token" and rows.faults[0].line == 5


CODE = '''
import functools


def add(a: int, b: int = 0) -> int:
    """Add two numbers and return the sum."""

    # carried over
    return a + b


def undocumented(a):
    return a


def _private():
    """Private and therefore of no interest."""
    return 1


class Shop:
    """A shop that sells things."""

    class Basket:
        @property
        def total(self) -> float:
            """The sum of all prices in the basket."""
            return sum(self.prices)

        def table(self):
            """Lay the prices out as a table.

            One line each.
            """
            text = """
    a line at column four
no indent
"""
            def inner():
                """Not a function of its own."""
                return text
            return f"""{inner()}
        tail"""

    @functools.lru_cache(maxsize=1)
    async def open(self, *args, key=None, **more):
        \'\'\'Open the shop and wait for customers.\'\'\'
        await self.wait()
        return key

    def stub(self):
        """To be written by somebody else."""
        raise NotImplementedError


if True:
    def late():
        """Defined under a condition, and public."""
        return "late"


def one_line(): "A docstring on the same line."; return 1
'''


def test_functions_become_rows_in_source_order_without_their_docstring(page):
    rows = rows_from_python(page(CODE, "shop.py"))
    names = ["add", "Shop.Basket.total", "Shop.Basket.table", "Shop.open", "late"]
    assert [row.extra["name"] for row in rows] == names
    lines = Path(rows[0].file).read_text(encoding="utf-8").split("\n")
    for row in rows:
        assert f"def {row.extra['name'].rpartition('.')[2]}(" in lines[row.line - 1]
        (node,) = ast.parse(row.answer).body
        assert ast.get_docstring(node) is None
    assert rows[0].question == (
        "Write a Python function `add` that does the following.\n\n"
        "Add two numbers and return the sum.\n\n"
        "Signature: `def add(a: int, b: int=0) -> int`"
    )
    assert rows[0].answer == (
        "def add(a: int, b: int = 0) -> int:\n    # carried over\n    return a + b"
    )
    assert "property `total` of the Python class `Shop.Basket`" in rows[1].question
    assert rows[3].answer.startswith("@functools.lru_cache(maxsize=1)\nasync def open(")


def test_texts_inside_the_code_keep_their_indentation(page):
    row = next(r for r in rows_from_python(page(CODE, "shop.py")) if "table" in r.question)
    nodes = ast.walk(ast.parse(CODE))
    original = next(n for n in nodes if isinstance(n, ast.FunctionDef) and n.name == "table")
    found = ast.parse(row.answer).body[0]
    assert [ast.dump(n) for n in found.body] == [ast.dump(n) for n in original.body[1:]]


def test_what_is_passed_over_is_counted_with_its_reason(page):
    made = rows_from_python(page(CODE, "shop.py"))
    layout = "of a layout that cannot be taken apart safely"
    assert made.skipped == {"without a docstring": 1, "private": 1, "stubs": 1, layout: 1}
    assert sum(rows_from_python(page(CODE, "s.py"), max_characters=60).skipped.values()) > 4


def test_a_code_base_is_walked_without_its_tests_and_broken_files_are_named(page, tmp_path):
    page(CODE, "b.py")
    page('def first():\n    """The first of the files by name."""\n    return 1\n', "a.py")
    page("def broken(:\n    pass\n", "broken.py")
    page("x = '\x00'\n", "null.py")
    (tmp_path / "latin.py").write_bytes(b'def f():\n    """caf\xe9"""\n')
    page('def test_it():\n    """Tests that it works."""\n    assert 1\n', "test_it.py")
    helper = 'def helper():\n    """Helps the tests to run."""\n    return 2\n'
    for folder in ("tests", ".hidden", "site-packages"):
        (tmp_path / folder).mkdir()
        page(helper, f"{folder}/help.py")
    made = rows_from_python(tmp_path)
    assert [row.extra["name"] for row in made][:2] == ["first", "add"]
    assert made.skipped["test files"] == 1 and made.skipped["test folders"] == 1
    assert "helper" not in {row.extra["name"] for row in made}
    told = {Path(fault.file).name: fault for fault in made.faults}
    assert set(told) == {"broken.py", "null.py", "latin.py"}
    assert told["broken.py"].line == 1 and told["broken.py"].rule == "invalid-python"
    assert told["latin.py"].rule == "encoding"


def test_instructions_are_written_in_japanese_too(page):
    rows = rows_from_python(page(CODE, "shop.py"), language="ja")
    assert rows[0].question.startswith("次の説明どおりに動くPythonの関数 `add` を書いてください。")
    assert "Add two numbers" in rows[0].question
    with pytest.raises(WorkshopError, match="not in"):
        rows_from_python(page(CODE, "shop.py"), language="fr")


def test_code_with_nothing_documented_says_why_there_is_no_row(page):
    with pytest.raises(WorkshopError, match=r"1 without a docstring"):
        rows_from_python(page("def f(a):\n    return a\n", "x.py"))


def test_rows_of_the_courses_own_code_parse_and_survive_a_file(tmp_path):
    package = Path(__file__).resolve().parents[3] / "workshop_helpers"
    rows = rows_from_python(package)
    assert len(rows) > 100
    for row in rows:
        ast.parse(row.answer)
    write_conversations(rows, tmp_path / "code.jsonl", format="messages")
    back = read_conversations(tmp_path / "code.jsonl")
    assert [row.messages for row in back] == [row.messages for row in rows]
    assert isinstance(back[0].messages[0], Message)
