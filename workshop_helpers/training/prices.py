"""What a rented GPU costs an hour: a dated file that the reader edits (`data/prices.yaml`)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..core.artifacts import data_path
from ..core.errors import WorkshopError


@dataclass(frozen=True)
class Gpu:
    """A GPU to rent: its memory (10^9 bytes), operations a second (10^12, 16 bits), price an hour,
    and where that price was seen.
    """

    name: str
    memory_gb: float
    tflops: float
    per_hour: float
    where: str


@dataclass(frozen=True)
class Prices:
    """The GPUs by name, the day of their prices, who says so, and in which currency."""

    gpus: dict[str, Gpu]
    date: str
    source: str
    currency: str

    def gpu(self, name: str) -> Gpu:
        """The GPU of that name; WorkshopError with the names there are."""
        if name not in self.gpus:
            known = ", ".join(self.gpus)
            raise WorkshopError(f"The price list has no {name!r}. It has: {known}.")
        return self.gpus[name]


def load_prices(path: str | Path | None = None) -> Prices:
    """The price list of `path`, or the course's. Raises WorkshopError for a file that is none."""
    import yaml  # type: ignore[import-untyped,unused-ignore]

    path = Path(path) if path is not None else data_path("prices.yaml")
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
        gpus = {
            str(name): Gpu(
                str(name),
                _number(values["memory_gb"]),
                _number(values["tflops"]),
                float(values["per_hour"]),
                str(values.get("where", "")),
            )
            for name, values in found["gpus"].items()
        }
        return Prices(gpus, str(found["date"]), str(found["source"]), str(found["currency"]))
    except OSError as error:
        raise WorkshopError(f"{path} cannot be read: {error.strerror}.") from error
    except (yaml.YAMLError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise WorkshopError(
            f"{path} is no price list ({type(error).__name__}: {error}). It needs date, source, "
            "currency, and gpus with memory_gb, tflops and per_hour each, as data/prices.yaml has."
        ) from error


def _number(value: object) -> float:
    number = float(value)  # type: ignore[arg-type]
    if not number > 0:
        raise ValueError(f"{value} is not above 0")
    return number
