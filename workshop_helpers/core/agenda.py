"""The talk's eight sections: their minutes, their notebooks, and the cells that are shown live."""

from __future__ import annotations

from dataclasses import dataclass, replace

PLANNED = 45  # minutes, as the talk is announced


@dataclass(frozen=True)
class Section:
    """A section: its `name` (the title is the wording agenda.NAME), its minutes, its notebooks, and
    the scenes: a scene NAME is the cell tagged stage:NAME in one of these notebooks.
    """

    name: str
    minutes: float
    notebooks: tuple[str, ...]
    scenes: tuple[str, ...] = ()


# The minutes are those of the talk's agenda, which announces 45. They add up to 50: seven sections
# fill the 45, and the summary with its questions comes on top.
SECTIONS = (
    Section(
        "what",
        5,
        ("01_what_is_finetuning",),
        ("five-ways", "five-counted", "lora-drawn", "lora-counted"),
    ),
    Section(
        "ollama",
        5,
        ("02_ollama_misconceptions",),
        ("modelfile", "base-and-told", "proof", "same-weights"),
    ),
    Section(
        "practice",
        10,
        ("03_training_data", "04_lora_training"),
        ("row", "rows-checked", "loss-tokens", "train-10", "train-100", "loss-curve", "settings"),
    ),
    Section(
        "demo",
        10,
        ("05_before_after",),
        ("train-both", "prompt", "same-questions", "bars", "explorer", "habits", "forgotten"),
    ),
    Section(
        "to-ollama",
        7,
        ("06_merge_and_gguf", "07_quantization", "08_run_on_ollama"),
        (
            "merge", "gguf", "inside", "three-types", "microscope", "exam", "picker",
            "support-modelfile", "ask-support", "stream",
        ),
    ),
    Section(
        "reality",
        5,
        ("09_results_and_reality",),
        ("curve-rows", "curve-epochs", "measured-here", "learned", "lost", "table-and-ours"),
    ),
    Section("approach", 3, ("10_practical_approach",), ("cheap-first", "decision", "sliders")),
    Section("summary", 5, ("10_practical_approach",)),
)  # fmt: skip


def agenda(
    minutes: float | None = None, sections: tuple[Section, ...] = SECTIONS
) -> tuple[Section, ...]:
    """The sections; with `minutes` shortened or stretched alike, so that they add up to these."""
    whole = sum(section.minutes for section in sections)
    share = (minutes or whole) / whole
    return tuple(replace(section, minutes=section.minutes * share) for section in sections)


@dataclass
class Clock:
    """Where a talk stands, in seconds; `now` is any clock that only goes forward.

    `at` is the place of the section that is being given.
    """

    sections: tuple[Section, ...]
    at: int = 0
    before: float = 0.0  # seconds that ran before the last start
    started: float | None = None

    @property
    def running(self) -> bool:
        return self.started is not None

    @property
    def last(self) -> bool:
        return self.at == len(self.sections) - 1

    def start(self, now: float) -> None:
        """Let it run; nothing happens where it does."""
        if self.started is None:
            self.started = now

    def pause(self, now: float) -> None:
        """Stop the time."""
        self.before, self.started = self.elapsed(now), None

    def reset(self) -> None:
        """Back to the first section at 0:00."""
        self.at, self.before, self.started = 0, 0.0, None

    def move(self, by: int) -> None:
        """To the next section (1) or the one before (-1)."""
        self.at = min(max(self.at + by, 0), len(self.sections) - 1)

    def elapsed(self, now: float) -> float:
        """Seconds since the first start, without pauses."""
        return self.before + (0.0 if self.started is None else now - self.started)

    def due(self, place: int) -> float:
        """When the section at this place should end."""
        return 60 * sum(section.minutes for section in self.sections[: place + 1])

    def left(self, now: float) -> float:
        """Seconds until this section should end; below 0 when it is late."""
        return self.due(self.at) - self.elapsed(now)
