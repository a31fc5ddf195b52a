"""Which models of the catalogue this machine can train."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

from ..core.device import Device, choose_device
from ..core.errors import WorkshopError
from ..core.showing import Shown
from .catalogue import CATALOGUE, CatalogueEntry
from .load import model_folder
from .resolve import resolve

USABLE = 0.8  # of a device's memory; the rest is the system's and other programs'


@dataclass(frozen=True)
class ModelChoice:
    """A model of the catalogue on this machine: `device` would train it, `here`: its weights need
    no download.
    """

    entry: CatalogueEntry
    device: Device
    here: bool

    @property
    def needs_gb(self) -> float:
        """Memory (GB, peak) of a LoRA training: the catalogue's, which is estimated for 16 bits a
        weight where it was not measured, and two bytes a weight more where 32 are taken.
        """
        wide = self.device.dtype == "fp32" and not self.entry.measured
        return self.entry.lora_memory_gb + (2 * self.entry.parameters / 1e9 if wide else 0)

    @property
    def fits(self) -> bool:
        """Whether that is within what the device has to give, 80 % of its memory."""
        has = self.device.memory_bytes
        return has is None or self.needs_gb <= USABLE * has / 1e9


@dataclass(frozen=True)
class ModelChoices(Shown):
    """The models of the catalogue, shown as a table in `language`."""

    choices: tuple[ModelChoice, ...]
    language: str = "en"

    @property
    def fitting(self) -> list[str]:
        """Names of the models that this machine can train."""
        return [choice.entry.name for choice in self.choices if choice.fits]


def model_choices(language: str = "en") -> ModelChoices:
    """All models of the catalogue, with what this machine makes of them. Fetches nothing."""
    choices = (
        ModelChoice(entry, choose_device(parameters=entry.parameters), _is_here(entry.name))
        for entry in CATALOGUE.values()
    )
    return ModelChoices(tuple(choices), language)


def _is_here(name: str) -> bool:
    with contextlib.suppress(WorkshopError):
        model_folder(resolve(name), download=False)
        return True
    return False
