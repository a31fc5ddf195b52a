"""Every regular expression of the package, and texts that make a slow one slow.

The calls of `re` are found in the sources, so that a new pattern cannot be forgotten. The texts
come from the pattern itself: what each of its repetitions takes, many times over, and then
something that it does not take; and from a list that suits many.
"""

from __future__ import annotations

import ast
import importlib
import re
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import workshop_helpers

if sys.version_info >= (3, 11):
    from re import _constants as constants
    from re import _parser as parser
else:
    import sre_constants as constants
    import sre_parse as parser

PACKAGE = Path(workshop_helpers.__file__).parent
METHODS = ("compile", "search", "match", "fullmatch", "sub", "subn", "split", "findall", "finditer")
# Characters that a class of characters may hold, the usual ones first.
_TRIED = "a0A \n-._あ漢アーﾟ/<>[]()`'\"“「」:,;=@#$¥*+?!。、|\\{}&~^%0９\t\r　\u200b\x80é\ue000x"
MANY = (
    "a", "aB3_", "0", "1,", " ", "\n", "a \n", "- ", "<", "<a ", "[", "(", "`", "``` ", '"', "a.",
    "a@", "あ", "漢", "ア", "。", "1 ", "a-", "Aa ", "=", "://", "#", "\t", "{{", "é", "&#", ":",
)  # fmt: skip


@dataclass(frozen=True)
class Found:
    """A pattern, where it stands, and the methods it is used with ("search" where unknown)."""

    where: str
    pattern: re.Pattern[Any]
    methods: tuple[str, ...]


def calls() -> Iterator[tuple[str, Path, ast.Call, str]]:
    """The calls of `re`: the module, its path, the call, and the name it is assigned to."""
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        tree = ast.parse(path.read_text(encoding="utf-8"))
        names = {
            id(value): target.id
            for node in ast.walk(tree)
            if isinstance(node, ast.Assign)
            for target, value in _assigned(node)
        }
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            on = node.func.value
            if isinstance(on, ast.Name) and on.id == "re" and node.func.attr in METHODS:
                yield ".".join(parts), path, node, names.get(id(node), "")


def _assigned(node: ast.Assign) -> Iterator[tuple[ast.Name, ast.expr]]:
    for target in node.targets:
        if isinstance(target, ast.Name):
            yield target, node.value
        elif isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
            pairs = zip(target.elts, node.value.elts, strict=True)
            yield from ((one, value) for one, value in pairs if isinstance(one, ast.Name))


def usages() -> dict[str, set[str]]:
    """With which methods each name is used; "search" where it is handed on. A name with an
    underscore belongs to its file: "file.py:_NAME".
    """
    found: dict[str, set[str]] = {}
    for path in PACKAGE.rglob("*.py"):
        nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
        asked = {}
        for node in nodes:
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                asked[id(node.value)] = node.attr
        for node in nodes:
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
                found.setdefault(_key(path, node.id), set()).add(asked.get(id(node), "search"))
    return found


def _key(path: Path, name: str) -> str:
    return f"{path}:{name}" if name.startswith("_") else name


def patterns(local: dict[str, Callable[[], list[re.Pattern[Any]]]]) -> list[Found]:
    """All patterns. `local`: those that only a function knows, by "module: source"."""
    used = usages()
    found = []
    for module, path, call, name in calls():
        space = vars(importlib.import_module(module))
        source = ast.unparse(call.args[0])
        where = f"{module.partition('.')[2]}:{call.lineno}"
        method = call.func.attr  # type: ignore[attr-defined]
        methods = (method,)
        if method == "compile":
            methods = tuple(
                sorted(used.get(_key(path, name), {"search"}) & {*METHODS} or {"search"})
            )
        try:
            text = eval(compile(ast.Expression(call.args[0]), path, "eval"), space)
            flags = _flags(call, method, space)
        except NameError:
            key = f"{module.partition('.')[2]}: {source}"
            assert key in local, f"{key} at line {call.lineno}: say in the test what it may be"
            found += [Found(where, one, methods) for one in local[key]()]
            continue
        found.append(Found(where, re.compile(text, flags), methods))
    return found


def _flags(call: ast.Call, method: str, space: dict[str, Any]) -> int:
    place = {"compile": 1, "sub": 4, "subn": 4, "split": 3}.get(method, 2)
    given = [word.value for word in call.keywords if word.arg == "flags"] + call.args[place:]
    return eval(compile(ast.Expression(given[0]), "", "eval"), space) if given else 0


@dataclass(frozen=True)
class Text:
    """`start`, `unit` over and over, `end`."""

    start: str
    unit: str
    end: str

    def of(self, size: int) -> str:
        """The text with about `size` characters."""
        return self.start + self.unit * (size // len(self.unit)) + self.end


def texts(pattern: re.Pattern[Any]) -> set[Text]:
    """Texts that a slow pattern takes long for."""
    found = {Text("", unit, "\0") for unit in MANY}
    source = pattern.pattern
    source = source if isinstance(source, str) else source.decode("latin-1")
    for before, unit in _repeats(parser.parse(source, pattern.flags & ~re.UNICODE)):
        units = (unit, before + unit, f"{before}{unit} ", f"{before}{unit}\n", before)
        for one in filter(None, units):
            start = before if one == unit else ""
            found |= {Text(start, one, ""), Text(start, one, "\0"), Text(f"x{start}", one, "\0\n")}
    return found


def _repeats(items: Any, before: str = "") -> Iterator[tuple[str, str]]:
    """For each long repetition in a pattern: a text for what stands before, and one for itself."""
    for op, arg in items:
        if op in (constants.MAX_REPEAT, constants.MIN_REPEAT) or str(op) == "POSSESSIVE_REPEAT":
            _, most, body = arg
            if most > 20:
                for unit in _samples(body, 4):
                    if unit:
                        yield before, unit
            yield from _repeats(body, before)
        elif op is constants.SUBPATTERN:
            yield from _repeats(arg[-1], before)
        elif op is constants.BRANCH:
            for one in arg[1]:
                yield from _repeats(one, before)
        elif op in (constants.ASSERT, constants.ASSERT_NOT):
            yield from _repeats(arg[1], before)
        before += next(iter(_samples([(op, arg)], 1)), "")


def _samples(items: Any, most: int) -> list[str]:
    """A few texts that a part of a pattern takes (roughly: what looks around is left out)."""
    found = [""]
    for op, arg in items:
        found = [one + more for more in _sample(op, arg, most) for one in found][:most]
    return found


def _sample(op: Any, arg: Any, most: int) -> list[str]:
    if op is constants.LITERAL:
        return [chr(arg)]
    if op in (constants.IN, constants.ANY, constants.NOT_LITERAL):
        fits = [c for c in _TRIED if _takes(op, arg, c)]
        return fits[:most] or [""]
    if op is constants.BRANCH:
        return [text for one in arg[1] for text in _samples(one, 1)][: max(most, 1)]
    if op is constants.SUBPATTERN:
        return _samples(arg[-1], most)
    if op in (constants.MAX_REPEAT, constants.MIN_REPEAT) or str(op) == "POSSESSIVE_REPEAT":
        least, _, body = arg
        return [one * max(1, least) for one in _samples(body, most)]
    if str(op) == "ATOMIC_GROUP":
        return _samples(arg, most)
    return [""]


_CATEGORIES = {"DIGIT": r"\d", "SPACE": r"\s", "WORD": r"\w"}


def _takes(op: Any, arg: Any, character: str) -> bool:
    if op is constants.ANY:
        return character != "\n"
    if op is constants.NOT_LITERAL:
        return ord(character) != arg
    negated, fits = False, False
    for kind, value in arg:
        if kind is constants.NEGATE:
            negated = True
        elif kind is constants.LITERAL:
            fits |= ord(character) == value
        elif kind is constants.RANGE:
            fits |= value[0] <= ord(character) <= value[1]
        else:
            name = str(value).removeprefix("CATEGORY_")
            inner = re.match(_CATEGORIES[name.removeprefix("NOT_")], character) is not None
            fits |= inner != name.startswith("NOT_")
    return fits != negated


def use(pattern: re.Pattern[Any], method: str, text: str) -> None:
    """Use a pattern over a whole text as the package does."""
    given: Any = text if isinstance(pattern.pattern, str) else text.encode("latin-1", "replace")
    if method in ("match", "fullmatch"):
        getattr(pattern, method)(given)
    elif method in ("sub", "subn"):
        pattern.sub(given[:0], given)
    elif method == "split":
        pattern.split(given)
    else:
        for _ in pattern.finditer(given):
            pass


def growth(do: Callable[[int], object], size: int, times: int = 4) -> float:
    """How much longer `do` takes for `times` the size: the least of some tries. A moment counts as
    a hundredth of a second, whose growth is noise.
    """
    least = float("inf")
    for _ in range(3):
        short = max(0.01, seconds(lambda: do(size), 2))
        least = min(least, seconds(lambda: do(times * size), 1) / short)
        if least < 1.5 * times:
            break
    return least


def seconds(do: Callable[[], object], tries: int = 3) -> float:
    """The least processor time of some tries, which another program's work does not lengthen."""
    best = float("inf")
    for _ in range(tries):
        begun = time.process_time()
        do()
        best = min(best, time.process_time() - begun)
    return best
