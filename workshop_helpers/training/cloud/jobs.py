"""A cloud job and the file that remembers it: what was sent, what it is called over there, and how
it stood when last looked at. A process may end at any moment; the next one reads the file.
"""

from __future__ import annotations

import secrets
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from ...core.cards import file_hash
from ...core.errors import WorkshopError, foreign
from ...core.jsonio import read_json, write_json
from .check import check_cloud_rows, write_cloud_rows
from .providers import ENDED, SUCCEEDED, CloudOrder, Provider, open_provider

KIND = "cloud job"


@dataclass(frozen=True)
class CloudJob:
    """What the file of a job holds; never a key, only the name of its variable.

    `data`: hash of the rows; `file` and `job`: the provider's names, None as long as there is none;
    `status`, `said`, `tuned`, `error`: see `JobState`; `how`: the options of `open_provider`.
    """

    provider: str
    model: str
    epochs: int
    suffix: str
    data: str
    rows: int
    how: dict[str, str]
    file: str | None = None
    job: str | None = None
    status: str = "not submitted"
    said: str = ""
    tuned: str | None = None
    error: str | None = None
    looked: str | None = None

    @property
    def ended(self) -> bool:
        """Whether nothing changes any more."""
        return self.status in ENDED

    def to_dict(self) -> dict[str, Any]:
        return {"kind": KIND, **asdict(self)}

    def open(self) -> Provider:
        """The provider, as a new process opens it: from the file and the environment alone."""
        return open_provider(self.provider, **self.how)


def read_cloud_job(path: str | Path) -> CloudJob:
    """The job in a file. WorkshopError where it is none."""
    found = read_json(path, dict)
    if found.pop("kind", None) != KIND:
        raise WorkshopError(f"{path} is no file of a cloud job. `workshop cloud submit` makes one.")
    with foreign(path):
        return CloudJob(**{f.name: found[f.name] for f in fields(CloudJob) if f.name in found})


def submit_cloud_job(
    data: str | Path, path: str | Path, provider: str, order: CloudOrder, **how: str
) -> CloudJob:
    """Check the rows, upload them, start the job, and remember it in the file `path`; `how`: the
    options of `open_provider`.

    What a killed process had done already is not done again: neither the upload nor the job, also
    where it was killed between starting the job and writing that down.
    Raises WorkshopError for rows with faults, a file that holds another job, and refusals.
    """
    check = check_cloud_rows(data, provider, model=order.model, epochs=order.epochs)
    if check.faults:
        raise WorkshopError(
            f"Nothing was sent: {check.faults[0]}"
            + (f" And {len(check.faults) - 1} more." if check.faults[1:] else "")
            + f" `workshop cloud check --data {data}` lists them."
        )
    job = CloudJob(
        provider, order.model, order.epochs, order.suffix, file_hash(data), check.rows, how
    )  # fmt: skip
    if Path(path).exists():
        job = _same(read_cloud_job(path), job, path)
    if job.job is not None:
        return job
    there = job.open()
    if job.file is None:
        job = _kept(path, replace(job, file=_upload(data, there)))
    assert job.file is not None
    started = there.find(job.file) or there.create(job.file, order)
    return _kept(path, replace(job, job=started, status="queued"))


def look_at_cloud_job(path: str | Path) -> CloudJob:
    """Ask how the job of a file stands, and write it down."""
    job = read_cloud_job(path)
    return job if job.ended else _look(job, path, job.open())


def wait_for_cloud_job(
    path: str | Path,
    *,
    every: float = 30.0,
    tell: Callable[[CloudJob], object] = lambda job: None,
    looks: int | None = None,
) -> CloudJob:
    """Look every so many seconds until the job has ended, or `looks` times; `tell` hears of each
    change. A process that was ended while it waited is replaced by calling this again.
    """
    job = read_cloud_job(path)
    if job.ended:
        return job
    provider = job.open()
    while looks is None or looks > 0:
        before, job = job.said, _look(job, path, provider)
        if job.said != before:
            tell(job)
        looks = None if looks is None else looks - 1
        if job.ended or looks == 0:
            break
        time.sleep(every)
    return job


def cancel_cloud_job(path: str | Path) -> CloudJob:
    """Ask for the end of the job of a file, and look once."""
    job = read_cloud_job(path)
    if job.ended:
        raise WorkshopError(f"The job {job.job} has ended already: {job.status}.")
    provider = job.open()
    provider.cancel(_id(job, path))
    return _look(job, path, provider)


def cloud_job_events(path: str | Path) -> list[str]:
    """What the provider tells of the job of a file, oldest first."""
    job = read_cloud_job(path)
    return job.open().events(_id(job, path))


def _look(job: CloudJob, path: str | Path, provider: Provider) -> CloudJob:
    state = provider.look(_id(job, path))
    tuned = state.model if state.status == SUCCEEDED else None
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    seen = replace(job, status=state.status, said=state.said, error=state.error)
    return _kept(path, replace(seen, tuned=tuned, looked=now))


def _upload(data: str | Path, provider: Provider) -> str:
    with tempfile.TemporaryDirectory() as folder:
        # A name that no other job has: `find` goes by it.
        rows = Path(folder, f"{Path(data).name.partition('.')[0]}-{secrets.token_hex(4)}.jsonl")
        return provider.upload(write_cloud_rows(data, provider.name, rows))


def _same(there: CloudJob, now: CloudJob, path: str | Path) -> CloudJob:
    """The job of the file, if it is the one that is ordered now."""
    asked = ("provider", "model", "epochs", "suffix", "data", "how")
    other = [name for name in asked if getattr(there, name) != getattr(now, name)]
    if other:
        raise WorkshopError(
            f"{path} remembers another job (other {', '.join(other)}), and forgetting it would "
            "lose sight of what is paid for. Give this one another file (--job)."
        )
    return there


def _kept(path: str | Path, job: CloudJob) -> CloudJob:
    write_json(path, job.to_dict())
    return job


def _id(job: CloudJob, path: str | Path) -> str:
    if job.job is None:
        raise WorkshopError(
            f"{path} remembers an upload and no job yet: run `workshop cloud submit` again."
        )
    return job.job
