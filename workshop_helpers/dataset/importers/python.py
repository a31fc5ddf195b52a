"""Rows of a Python code base: the docstring asks, the code answers."""

from __future__ import annotations

import ast
import copy
import io
import os
import re
import textwrap
import tokenize
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from ...core.errors import WorkshopError
from ...core.wordings import LANGUAGES, say
from ..formats import Conversation, Fault, Message, RowFault, check_text
from .imported import Imported

_SKIPPED_FOLDERS = {
    "tests", "test", "testing", "node_modules", "site-packages", "dist-packages", "build", "dist",
    "venv", "env", "__pycache__",
}  # fmt: skip
_SHORTEST = 12  # characters of a docstring that can say what to write


def rows_from_python(
    folder_or_file: str | Path, *, language: str = "en", max_characters: int = 4000
) -> Imported:
    """Rows of a Python code base: the docstring as the instruction, the code without it as the
    answer.

    Public functions and methods with a docstring, in the order of the files' names and of their
    lines; names that begin with "_", tests, stubs and code of more than `max_characters` are passed
    over and counted. A file that cannot be parsed becomes a fault with its line. `language`: of the
    instruction's own words ("en" or "ja"); the docstring is not changed. `extra` holds the
    qualified `name`. Raises WorkshopError when no row is left.
    """
    if language not in LANGUAGES:
        raise WorkshopError(f'Instructions are written in en or ja, not in "{language}".')
    root = Path(folder_or_file)
    if not root.exists():
        raise WorkshopError(f"There is no file or folder {root}.")
    made = Imported()
    files = list(_python_files(root, made.skipped))
    for path in files:
        text, tree = _parse(path, made.faults)
        for node, owner in _functions(tree.body, ()):
            try:
                row = _row(text, node, owner, language, max_characters)
                made.append(replace(row, file=str(path), line=node.lineno))
            except _PassedOver as reason:
                made.skipped[str(reason)] += 1
            except RecursionError:  # parsed, but too deep to be written out again
                made.skipped["nested too deeply"] += 1
    made.note = f"{len(files)} Python file{'' if len(files) == 1 else 's'} read."
    return made.finished(root)


class _PassedOver(Exception):
    """Why a function becomes no row."""


def _python_files(root: Path, skipped: Counter[str]) -> Iterator[Path]:
    if root.is_file():
        yield root
        return
    for folder, folders, names in os.walk(root):
        left_out = [f for f in folders if f.startswith(".") or f.lower() in _SKIPPED_FOLDERS]
        folders[:] = sorted(set(folders) - set(left_out))
        of_tests = sum(f.lower().startswith("test") for f in left_out)
        skipped.update({"test folders": of_tests} if of_tests else {})
        for path in (Path(folder, name) for name in sorted(names) if name.endswith(".py")):
            if re.fullmatch(r"test_.*|.*_test|conftest|tests", path.stem):
                skipped["test files"] += 1
            else:
                yield path


def _parse(path: Path, faults: list[Fault]) -> tuple[str, ast.Module]:
    """A file's text and its tree, empty where it cannot be read."""
    fault: tuple[str, object]
    line, excerpt = 1, ""
    try:
        with tokenize.open(path) as file:  # by its BOM or its coding line (PEP 263)
            text = file.read()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # "\d" in somebody's code is not our concern
            return text, ast.parse(text)
    except OSError as error:
        fault = ("unreadable.python", error.strerror or error)
    except (UnicodeDecodeError, LookupError) as error:
        fault = ("encoding.python", error)
    except SyntaxError as error:
        if error.lineno is None:  # of tokenize, about the coding line
            fault = ("encoding.python", error)
        else:
            fault = ("invalid-python", error.msg)
            line, excerpt = error.lineno, (error.text or "").strip()[:80]
    except ValueError as error:  # a null byte
        fault = ("invalid-python", error)
    except (RecursionError, MemoryError):
        fault = ("invalid-python.deep", "")
    code, reason = fault
    faults.append(RowFault(code, error=reason).at(str(path), line, excerpt))
    return "", ast.Module([], [])


Function = ast.FunctionDef | ast.AsyncFunctionDef


def _functions(
    nodes: Iterable[ast.AST], owner: tuple[str, ...]
) -> Iterator[tuple[Function, tuple[str, ...]]]:
    """Functions of a module or class, with the classes around them, in source order, those under
    if/try/with, too; not the functions inside functions.
    """
    for node in nodes:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node, owner
        elif isinstance(node, ast.ClassDef):
            yield from _functions(node.body, (*owner, node.name))
        elif isinstance(node, ast.stmt | ast.ExceptHandler | ast.match_case):
            yield from _functions(ast.iter_child_nodes(node), owner)


def _row(
    text: str, node: Function, owner: tuple[str, ...], language: str, max_characters: int
) -> Conversation:
    """The row of one function. Raises _PassedOver where there is none."""
    if any(part.startswith("_") for part in (*owner, node.name)):
        raise _PassedOver("private")
    if node.name.startswith("test"):
        raise _PassedOver("tests")
    docstring = ast.get_docstring(node)
    if not docstring:
        raise _PassedOver("without a docstring")
    if len(docstring.strip()) < (_SHORTEST if docstring.isascii() else _SHORTEST // 2):
        raise _PassedOver("with a docstring that says too little")
    if _is_stub(node):
        raise _PassedOver("stubs")
    code = _code_without_docstring(text, node)
    if code is None:
        raise _PassedOver("of a layout that cannot be taken apart safely")
    if len(code) > max_characters:
        raise _PassedOver(f"longer than {max_characters:,} characters")
    question = _instruction(node, owner, docstring, language)
    try:
        check_text(question)
        check_text(code)
    except RowFault:
        raise _PassedOver("with a control token of a chat template in it") from None
    messages = (Message("user", question), Message("assistant", code))
    return Conversation(messages, extra={"name": ".".join((*owner, node.name))})


def _is_stub(node: Function) -> bool:
    """Whether nothing follows the docstring but perhaps `pass`, `...` or `raise
    NotImplementedError`; overloads and abstract methods, too.
    """
    marks = {ast.unparse(d).rpartition(".")[2] for d in node.decorator_list}
    if marks & {"overload", "abstractmethod", "abstractproperty"}:
        return True
    match node.body[1:]:
        case [] | [ast.Pass()] | [ast.Expr(value=ast.Constant())]:
            return True
        case [ast.Raise() as only]:
            return "NotImplemented" in ast.unparse(only)
    return False


def _instruction(node: Function, owner: tuple[str, ...], docstring: str, language: str) -> str:
    is_async = isinstance(node, ast.AsyncFunctionDef)
    kind = "coroutine" if is_async else "function"
    if owner:
        marks = {ast.unparse(d) for d in node.decorator_list}
        kind = "property" if marks & {"property", "cached_property"} else "method"
    returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    start = "async def" if is_async else "def"
    signature = f"{start} {node.name}({ast.unparse(node.args)}){returns}"
    asked = say(f"importers.{kind}", language, name=node.name, owner=".".join(owner))
    # The answer uses the parameter names of the signature.
    told = say("importers.signature", language, signature=signature)
    return "\n\n".join((asked, docstring.strip(), told))


def _code_without_docstring(text: str, node: Function) -> str | None:
    """The source of a function from its decorators on, moved to the left margin, without its
    docstring.

    None where the result would not be the same function: it is parsed again and compared.
    """
    lines = text.split("\n")
    first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
    docstring = node.body[0]
    assert docstring.end_lineno is not None
    before = lines[first - 1 : docstring.lineno - 1]
    after = lines[docstring.end_lineno : node.end_lineno]
    if not before:
        return None
    # A blank line after the docstring parted it from the code; now it would part the code from its
    # head.
    while after and not after[0].strip():
        after.pop(0)
    code = _to_margin([*before, *after])
    wanted = copy.copy(node)
    wanted.body = node.body[1:]
    try:
        (found,) = ast.parse(code).body
    except (SyntaxError, ValueError):
        return None
    return code if ast.dump(found) == ast.dump(wanted) else None


def _to_margin(lines: list[str]) -> str:
    """Code moved to the left margin; the lines inside a string stay as they are."""
    indent = len(lines[0]) - len(lines[0].lstrip())
    if not indent:
        return "\n".join(lines).rstrip()
    inside: set[int] = set()
    opened: list[int] = []
    # Indented code needs a head. What stays are the lines after the one that a text begins in.
    source = "\n".join(["if True:", *lines])
    try:
        for token in tokenize.generate_tokens(io.StringIO(source).readline):
            name, first, last = tokenize.tok_name[token.type], token.start[0] - 1, token.end[0] - 1
            if name in ("STRING", "FSTRING_MIDDLE", "TSTRING_MIDDLE"):
                inside |= set(range(first, last))
            elif name in ("FSTRING_START", "TSTRING_START"):
                opened.append(first)
            elif name in ("FSTRING_END", "TSTRING_END") and opened:
                inside |= set(range(opened.pop(), last))
    except (tokenize.TokenError, SyntaxError):
        return textwrap.dedent("\n".join(lines)).rstrip()
    moved = [
        line if number in inside or line[:indent].strip() else line[indent:]
        for number, line in enumerate(lines)
    ]
    return "\n".join(moved).rstrip()
