"""A talk of two small notebooks: six cells of which one does what a file says, and a summary."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import nbformat

from workshop_helpers.core.agenda import Section
from workshop_helpers.stage.live import Live
from workshop_helpers.stage.rehearse import RehearsalReport, rehearse

SECTIONS = (
    Section("what", 2, ("01_first",), ("greeting", "risky", "after")),
    Section("demo", 3, ("02_second",), ("second",)),
    Section("summary", 1, ()),
)
PARAMETERS = 'MODEL = "?"\nROWS = 7\nLANGUAGE = "?"'
GREETING = 'print(MODEL, LANGUAGE, ROWS, "挨拶 greeting")'
WIDGET = "application/vnd.jupyter.widget-view+json"
AFTER = (
    "from IPython.display import display\n"
    f'display({{"text/plain": "ready: " + ready, "text/html": "<b>" + ready + "</b>", '
    f'"{WIDGET}": {{}}}}, raw=True)'
)


@dataclass
class Talk:
    """The notebooks lie in `folder`/notebooks, the stage in `folder`/stage; the cell of the scene
    "risky" runs the code in the file `fault`, too.
    """

    folder: Path

    @property
    def notebooks(self) -> Path:
        return self.folder / "notebooks"

    @property
    def runs(self) -> Path:
        return self.folder / "stage"

    @property
    def fault(self) -> Path:
        return self.folder / "fault.py"

    def stage(self, language: str = "en") -> Path:
        return self.runs / f"mame-{language}"

    def write(self, greeting: str = GREETING, second: str = 'print("second, live")') -> None:
        """The notebooks in both languages."""
        self.fault.parent.mkdir(parents=True, exist_ok=True)
        self.fault.touch()
        risky = f'exec(open(r"{self.fault}").read())\nprint("risky, live")'
        parameters = (PARAMETERS, ("parameters",))
        self._notebook("01_first", [
            parameters,
            (greeting, ("stage:greeting",)),
            ('ready = "yes"\nopen("made.txt", "a").write("x")', ("needed",)),
            (risky, ("stage:risky",)),
            (AFTER, ("stage:after",)),
            ("raise SystemError('no cell of the talk')", ("check",)),
        ])  # fmt: skip
        self._notebook("02_second", [
            parameters,
            ("raise SystemError('no cell of the talk')", ("exercise",)),
            (second, ("stage:second",)),
        ])  # fmt: skip

    def _notebook(self, name: str, cells: Sequence[tuple[str, tuple[str, ...]]]) -> None:
        made = [
            # as in the course, an id tells the source
            nbformat.v4.new_code_cell(
                source, id=f"c{number}-{sum(source.encode()) % 9973}", metadata={"tags": [*tags]}
            )
            for number, (source, tags) in enumerate(cells, 1)
        ]
        for folder in (self.notebooks, self.notebooks / "en"):
            folder.mkdir(parents=True, exist_ok=True)
            nbformat.write(nbformat.v4.new_notebook(cells=made), folder / f"{name}.ipynb")

    def rehearse(self, language: str = "en", **more: object) -> RehearsalReport:
        where = {"runs": self.runs, "notebooks": self.notebooks, "sections": SECTIONS}
        return rehearse("mame", language, **where, **more)

    def live(self, language: str = "en", **more: object) -> Live:
        where = {"runs": self.runs, "notebooks": self.notebooks, "sections": SECTIONS}
        return Live.open("mame", language, **where, **more)

    def program(self, then: str, language: str = "en", **more: object) -> str:
        """Python code that opens the talk as `live`, and then does what `then` says."""
        given = "".join(f", {name}={value!r}" for name, value in more.items())
        return (
            "import sys; sys.path[:0] = " + repr([str(Path(__file__).parent)]) + "\n"
            "from pathlib import Path\n"
            "from made_up_talk import Talk\n"
            f"with Talk(Path({str(self.folder)!r})).live({language!r}{given}) as live:\n"
            f"    {then}\n"
        )
