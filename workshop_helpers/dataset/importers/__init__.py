"""Rows made of what people already have: a table of questions and answers, an FAQ page, a Python
code base.

Nothing is written by a model here: every question and answer stands in the source, word for word.
What was passed over is counted with its reason, so that nobody takes a part for the whole.
"""

from __future__ import annotations

import ast
import io
import os
import textwrap
import tokenize
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

from ...core.errors import WorkshopError
from ...metrics.language import LANGUAGES
from ..formats import Conversation, Fault, Message, RowFault, check_text, open_rows
from ..formats.encodings import detect
from .faq import Pair, pairs_of_html, pairs_of_markdown


class Made(list[Conversation]):
    """The rows that were made, each with the file and line it stands in.

    `skipped`: reason → how many were passed over. `faults`: what could not be read, with file and
    line. `note`: how the source was understood, in a sentence.
    """

    def __init__(self, *, skipped: Mapping[str, int] | None = None, note: str = "") -> None:
        super().__init__()
        self.skipped = Counter(dict(skipped or {}))
        self.faults: list[Fault] = []
        self.note = note

    def summary(self) -> str:
        """How many rows there are and what was passed over, in a sentence or two."""
        told = f"{len(self)} row{'' if len(self) == 1 else 's'}."
        if self.note:
            told += f" {self.note}"
        if self.skipped:
            reasons = ", ".join(f"{count} {why}" for why, count in self.skipped.most_common())
            told += f" Passed over: {reasons}."
        if self.faults:
            told += f" Could not be read: {len(self.faults)}, the first: {self.faults[0]}"
        return told


# ---- tables --------------------------------------------------------------------------------------


def rows_from_table(
    path: str | Path, *, question: str | None = None, answer: str | None = None
) -> Made:
    """Rows of a CSV, TSV or Excel table, one line each.

    `question`, `answer`: the columns' names, both or neither; None recognises them in English and
    Japanese. Equal rows are taken once, rows without a question or an answer are passed over as
    faults. Raises WorkshopError when no row is left, and for a column that is not there.
    """
    columns = None
    if question and answer:
        columns = {"question": question, "answer": answer}
    elif question or answer:
        raise WorkshopError(
            f"Only one column of {path} is named. Name both, the one of the questions and the one of the answers."
        )
    made = Made()
    with open_rows(path, columns=columns) as reader:
        for item in reader:
            if isinstance(item, Fault):
                made.faults.append(item)
            else:
                made.append(item)
        made.note = str(reader.source.reason)
    return _finished(made, Path(path))


# ---- FAQ pages -----------------------------------------------------------------------------------


def rows_from_faq(path: str | Path) -> Made:
    """Rows of an FAQ page, in Markdown (`.md`) or HTML (`.html`).

    In HTML the page's own FAQPage data (JSON-LD or microdata) is taken where there is any. Else, in
    both: `details` with `summary`, definition lists, questions as headings, as bold paragraphs, and
    after "Q:" (or 質問：). The answer is what follows, as plain text that keeps lists, line breaks and
    code. The heading above a question is its `topic` in `extra`. Raises WorkshopError when the file
    cannot be read or no pair is found, and says what was looked for.
    """
    path = Path(path)
    text = _read_text(path)
    suffix = path.suffix.lower()
    if suffix in (".html", ".htm", ".xhtml"):
        found = pairs_of_html(text)
    elif suffix in (".md", ".markdown", ".mkd", ".txt", ""):
        found = pairs_of_markdown(text)
    else:
        raise WorkshopError(
            f"{path} is neither Markdown (.md) nor HTML (.html). Save the page in one of the two."
        )
    made = Made(skipped=found.skipped, note=found.note)
    for problem, line in found.problems:
        made.faults.append(RowFault("invalid-json.json-ld", error=problem).at(str(path), line))
    for pair in found.pairs:
        row = _conversation(pair, path)
        try:
            for message in row.messages:
                check_text(message.content)
        except RowFault as fault:
            made.faults.append(fault.at(str(path), pair.line, pair.question))
            continue
        made.append(row)
    if not made and not made.faults:
        looked = (
            "FAQPage data (JSON-LD or microdata), details/summary, dl/dt/dd, headings that ask, bold questions, and "
            "lines that begin with Q: or 質問："
        )
        raise WorkshopError(
            f"{path} holds no question with an answer that could be found. Looked for: {looked}."
            + (f" {made.summary()}" if made.skipped else "")
        )
    return _finished(made, path)


def _conversation(pair: Pair, path: Path) -> Conversation:
    extra = {"topic": pair.topic} if pair.topic else {}
    messages = (Message("user", pair.question), Message("assistant", pair.answer))
    return Conversation(messages, str(path), pair.line, extra)


def _read_text(path: Path) -> str:
    if path.is_dir():
        raise WorkshopError(f"{path} is a folder; a file belongs here.")
    try:
        raw = path.read_bytes()
    except FileNotFoundError as error:
        raise WorkshopError(f"There is no file {path}.") from error
    except OSError as error:
        raise WorkshopError(f"{path} cannot be read: {error.strerror or error}.") from error
    if not raw.strip():
        raise WorkshopError(f"{path} is empty.")
    encoding = detect(raw)
    if encoding.name is None:
        raise WorkshopError(f"{path}: {encoding.reason}. Save it as UTF-8.")
    try:
        text = raw.decode(encoding.name)
    except UnicodeDecodeError as error:
        raise WorkshopError(f"{path} is no text in {encoding.name}. Save it as UTF-8.") from error
    return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")


def _finished(made: Made, path: Path) -> Made:
    """The rows without equal ones; WorkshopError where none is left."""
    kept: dict[tuple[Message, ...], Conversation] = {}
    for row in made:
        if row.messages in kept:
            made.skipped["the same as a row before"] += 1
        else:
            kept[row.messages] = row
    made[:] = kept.values()
    if not made:
        raise WorkshopError(f"No row could be made of {path}. {made.summary()}")
    return made


# ---- Python code ---------------------------------------------------------------------------------

_SKIPPED_FOLDERS = {
    "tests", "test", "testing", "node_modules", "site-packages", "dist-packages", "build", "dist", "venv", "env",
    "__pycache__",
}  # fmt: skip
_SHORTEST = 12  # characters of a docstring that can say what to write


def rows_from_python(
    folder_or_file: str | Path, *, language: str = "en", max_characters: int = 4000
) -> Made:
    """Rows of a Python code base: the docstring as the instruction, the code without it as the
    answer.

    Public functions and methods with a docstring, in the order of the files' names and of their
    lines; names that begin with "_", tests, stubs and code of more than `max_characters` are passed
    over and counted. A file that cannot be parsed becomes a fault with its line. `language`: of the
    instruction's own words ("en" or "ja"); the docstring stays as it is. `extra` holds the
    qualified `name`. Raises WorkshopError when no row is left.
    """
    if language not in LANGUAGES:
        raise WorkshopError(f'Instructions are written in en or ja, not in "{language}".')
    root = Path(folder_or_file)
    if not root.exists():
        raise WorkshopError(f"There is no file or folder {root}.")
    made = Made()
    files = 0
    for path in _python_files(root, made.skipped):
        files += 1
        source = _parse(path, made.faults)
        if source is None:
            continue
        text, tree = source
        for name, node, owner in _functions(tree.body, ()):
            try:
                why, row = _row_of(path, text, name, node, owner, language, max_characters)
            except RecursionError:  # parsed, but too deep to be written out again
                why, row = "nested too deeply", None
            if row is not None:
                made.append(row)
            else:
                made.skipped[why] += 1
    made.note = f"{files} Python file{'' if files == 1 else 's'} read."
    return _finished(made, root)


def _python_files(root: Path, skipped: Counter[str]) -> Iterator[Path]:
    if root.is_file():
        yield root
        return
    for folder, folders, names in os.walk(root):
        hidden = [f for f in folders if f.startswith(".") or f.lower() in _SKIPPED_FOLDERS]
        folders[:] = sorted(set(folders) - set(hidden))
        if any(f.lower().startswith("test") for f in hidden):
            skipped["test folders"] += sum(f.lower().startswith("test") for f in hidden)
        for name in sorted(names):
            if not name.endswith(".py"):
                continue
            stem = name[: -len(".py")]
            if stem.startswith("test_") or stem.endswith("_test") or stem in ("conftest", "tests"):
                skipped["test files"] += 1
                continue
            yield Path(folder) / name


def _parse(path: Path, faults: list[Fault]) -> tuple[str, ast.Module] | None:
    def fault(code: str, error: object = "", line: int = 1, excerpt: str = "") -> None:
        faults.append(RowFault(code, error=error).at(str(path), line, excerpt.strip()[:80]))

    try:
        with tokenize.open(path) as file:  # by its BOM or its coding line (PEP 263)
            text = file.read()
    except (UnicodeDecodeError, SyntaxError, LookupError) as error:
        fault("encoding.python", error)
        return None
    except OSError as error:
        fault("unreadable.python", error.strerror or error)
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # "\d" in somebody's code is not ours to complain about
            return text, ast.parse(text)
    except SyntaxError as error:
        fault("invalid-python", error.msg, error.lineno or 1, error.text or "")
    except ValueError as error:  # a null byte
        fault("invalid-python", error)
    except (RecursionError, MemoryError):
        fault("invalid-python.deep")
    return None


Function = ast.FunctionDef | ast.AsyncFunctionDef


def _functions(
    body: list[ast.stmt], owner: tuple[str, ...]
) -> Iterator[tuple[str, Function, tuple[str, ...]]]:
    """Functions of a module or class body, in source order, those under if/try/with and in nested
    classes too.
    """
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name, node, owner
        elif isinstance(node, ast.ClassDef):
            yield from _functions(node.body, (*owner, node.name))
        else:
            for part in ("body", "handlers", "orelse", "finalbody"):
                for inner in getattr(node, part, []):
                    if isinstance(inner, ast.ExceptHandler):
                        yield from _functions(inner.body, owner)
                    elif isinstance(inner, ast.stmt):
                        yield from _functions([inner], owner)


def _row_of(
    path: Path,
    text: str,
    name: str,
    node: Function,
    owner: tuple[str, ...],
    language: str,
    max_characters: int,
) -> tuple[str, Conversation | None]:
    """The row of one function, or why there is none."""
    if any(part.startswith("_") for part in (*owner, name)):
        return "private", None
    if name.startswith("test"):
        return "tests", None
    docstring = ast.get_docstring(node)
    if not docstring:
        return "without a docstring", None
    if len(docstring.strip()) < (_SHORTEST if docstring.isascii() else _SHORTEST // 2):
        return "with a docstring that says too little", None
    if _is_stub(node):
        return "stubs", None
    code = _code_without_docstring(text, node)
    if code is None:
        return "of a layout that cannot be taken apart safely", None
    if len(code) > max_characters:
        return f"longer than {max_characters:,} characters", None
    qualified = ".".join((*owner, name))
    question = _instruction(node, owner, docstring, language)
    try:
        check_text(question)
        check_text(code)
    except RowFault:
        return "with a control token of a chat template in it", None
    messages = (Message("user", question), Message("assistant", code))
    return "", Conversation(messages, str(path), node.lineno, {"name": qualified})


def _is_stub(node: Function) -> bool:
    """Nothing but a docstring and perhaps `pass`, `...` or `raise NotImplementedError`; overloads;
    abstract ones.
    """
    marks = {ast.unparse(d).rpartition(".")[2] for d in node.decorator_list}
    if marks & {"overload", "abstractmethod", "abstractproperty"}:
        return True
    rest = node.body[1:]
    if not rest:
        return True
    if len(rest) > 1:
        return False
    only = rest[0]
    if isinstance(only, ast.Pass):
        return True
    if isinstance(only, ast.Expr) and isinstance(only.value, ast.Constant):
        return True
    return isinstance(only, ast.Raise) and "NotImplemented" in ast.unparse(only)


_ASKS = {
    "en": {
        "function": "Write a Python function `{name}` that does the following.",
        "coroutine": "Write an asynchronous Python function `{name}` that does the following.",
        "method": "Write the method `{name}` of the Python class `{owner}`. It does the following.",
        "property": "Write the property `{name}` of the Python class `{owner}`. It gives the following.",
        "signature": "Signature: `{signature}`",
    },
    "ja": {
        "function": "次の説明どおりに動くPythonの関数 `{name}` を書いてください。",
        "coroutine": "次の説明どおりに動くPythonの非同期関数 `{name}` を書いてください。",
        "method": "次の説明どおりに動く、Pythonのクラス `{owner}` のメソッド `{name}` を書いてください。",
        "property": "次の説明どおりの値を返す、Pythonのクラス `{owner}` のプロパティ `{name}` を書いてください。",
        "signature": "シグネチャ：`{signature}`",
    },
}


def _instruction(node: Function, owner: tuple[str, ...], docstring: str, language: str) -> str:
    words = _ASKS[language]
    kind = "coroutine" if isinstance(node, ast.AsyncFunctionDef) else "function"
    if owner:
        marks = {ast.unparse(d) for d in node.decorator_list}
        kind = "property" if marks & {"property", "cached_property"} else "method"
    returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    start = "async def" if isinstance(node, ast.AsyncFunctionDef) else "def"
    signature = f"{start} {node.name}({ast.unparse(node.args)}){returns}"
    return "\n\n".join(
        (
            words[kind].format(name=node.name, owner=".".join(owner)),
            docstring.strip(),
            # Without it nobody could know the names of the parameters that the answer uses.
            words["signature"].format(signature=signature),
        )
    )


def _code_without_docstring(text: str, node: Function) -> str | None:
    """The source of a function from its decorators on, moved to the left margin, without its
    docstring.

    None where the result would not be the same function: it is parsed again and compared.
    """
    lines = text.split("\n")
    first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
    docstring = node.body[0]
    assert docstring.end_lineno is not None and node.end_lineno is not None
    before = lines[first - 1 : docstring.lineno - 1]
    after = lines[docstring.end_lineno : node.end_lineno]
    # A blank line after the docstring parted it from the code; now it would part the code from its
    # head.
    while after and not after[0].strip():
        after.pop(0)
    code = _to_margin("\n".join([*before, *after]))
    wanted = replace_docstring(node)
    try:
        (found,) = ast.parse(code).body
    except (SyntaxError, ValueError):
        return None
    return code if ast.dump(found) == ast.dump(wanted) else None


def replace_docstring(node: Function) -> ast.stmt:
    """The node without its docstring."""
    values = {name: getattr(node, name) for name in node._fields if hasattr(node, name)}
    return type(node)(**{**values, "body": node.body[1:]})


def _to_margin(code: str) -> str:
    """Code moved to the left margin; the lines inside a text in quotation marks stay as they are."""
    lines = code.split("\n")
    indent = len(lines[0]) - len(lines[0].lstrip())
    if not indent:
        return code.rstrip()
    inside: set[int] = set()
    opened: list[int] = []
    source = "if True:\n" + code if lines[0][:1] in " \t" else code
    shift = source.count("\n") - code.count("\n")
    try:
        for token in tokenize.generate_tokens(io.StringIO(source).readline):
            name = tokenize.tok_name[token.type]
            if name in ("STRING", "FSTRING_MIDDLE", "TSTRING_MIDDLE"):
                inside |= set(range(token.start[0] - shift, token.end[0] - shift))
            elif name in ("FSTRING_START", "TSTRING_START"):
                opened.append(token.start[0] - shift)
            elif name in ("FSTRING_END", "TSTRING_END") and opened:
                inside |= set(range(opened.pop(), token.end[0] - shift))
    except (tokenize.TokenError, SyntaxError, IndentationError):
        return textwrap.dedent(code).rstrip()
    moved = []
    for number, line in enumerate(lines):
        keep = number in inside
        blank = line[:indent].strip()
        moved.append(line if keep or blank else line[indent:])
    return "\n".join(moved).rstrip()
