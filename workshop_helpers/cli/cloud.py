"""`workshop cloud …`: trainings on a provider's machines, checked before anything is sent."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .arguments import (
    READ_HELP,
    above_zero,
    add_group,
    add_verb,
    at_least_one,
    flag,
    option,
    terminal_language,
)
from .output import MISTAKE, OK, WRONG, first_ten, show

if TYPE_CHECKING:
    from ..training.cloud.check import CloudCheck
    from ..training.cloud.jobs import CloudJob

_PROVIDERS = ("openai", "google", "together")


def add_cloud_verbs(verbs: Any) -> None:
    """Add `cloud` to the subparsers `verbs`."""
    cloud = add_group(
        verbs, "cloud", "tune a provider's model: check, cost, submit, wait",
        " (OpenAI, Google, Together). Keys are read from environment variables alone.",
    )  # fmt: skip
    check = add_verb(cloud, "check", _check, "what would be sent, and what it would cost")
    _add_order(check)
    submit = add_verb(
        cloud, "submit", _submit, "upload rows and start a job",
        "Shows what `check` shows, and sends nothing without --really.",
    )  # fmt: skip
    _add_order(submit)
    where = "where the job is remembered (default: runs/cloud-NAME.json)"
    option(submit, "--job", "FILE", where, Path)
    option(submit, "--suffix", "NAME", "a part of the tuned model's name", default="")
    flag(submit, "--really", "send the rows and start the job: this costs money")
    key = "environment variable with the key (default: OPENAI_API_KEY, …)"
    option(submit, "--key-env", "NAME", key)
    option(submit, "--server", "URL", "another address than the provider's own")
    option(submit, "--project", "ID", "Google: the project")
    option(submit, "--location", "NAME", "Google: the region (default: us-central1)")
    option(submit, "--bucket", "gs://…", "Google: a bucket of yours, for the rows")
    status = add_verb(cloud, "status", _status, "how a job stands")
    wait = add_verb(
        cloud, "wait", _wait, "wait for the end of a job",
        "May be ended and run again at any time: the job goes on by itself.",
    )  # fmt: skip
    every = "seconds between looks (default: %(default)g)"
    option(wait, "--every", "SECONDS", every, above_zero, default=30.0)
    events = add_verb(cloud, "events", _events, "what the provider tells of a job")
    cancel = add_verb(cloud, "cancel", _cancel, "end a job; what was trained so far is paid for")
    for verb in (status, wait, events, cancel):
        option(verb, "job", "FILE", "the file that `cloud submit` wrote", Path)


def _add_order(to: Any) -> None:
    option(to, "--data", "FILE", READ_HELP, Path, required=True)
    to.add_argument("--provider", choices=_PROVIDERS, required=True, help="whose model is tuned")
    option(to, "--model", "NAME", "the model as the provider calls it")
    option(to, "--epochs", "N", "times through the rows (default: %(default)s)", at_least_one,
           default=3)  # fmt: skip
    price = "US dollars for a million trained tokens, as the provider's page says today"
    option(to, "--price", "DOLLARS", price, above_zero)
    exact = "a catalogue name or model folder that counts the tokens (default: by characters)"
    option(to, "--tokenizer", "MODEL", exact)
    length = "Together without packing: each row is billed as so many tokens"
    option(to, "--max-length", "TOKENS", length, at_least_one)


def _checked(args: argparse.Namespace) -> CloudCheck:
    from ..training.cloud.check import check_cloud_rows

    return check_cloud_rows(
        args.data, args.provider, model=args.model, epochs=args.epochs, price=args.price,
        tokenizer=args.tokenizer, max_length=args.max_length,
    )  # fmt: skip


def _check(args: argparse.Namespace) -> int:
    check = _checked(args)
    show(args, check, *_lines(check))
    return MISTAKE if check.faults else OK


def _lines(check: CloudCheck) -> list[Any]:
    from ..core.wordings import say

    language = terminal_language()
    about = "" if check.exact else "about "
    cost: str = "not known: give the provider's price with --price"
    if check.price is not None and check.dollars is not None:
        seen = f", {check.price.seen}" if check.price.seen else ""
        dated = f"{check.price.source}{seen}"
        cost = f"{about}${check.dollars:.2f} (${check.price.dollars:g} a million; {dated})"
    return [
        ("rows", f"{check.rows:,}, the longest of {about}{check.longest:,} tokens"),
        ("tokens", f"{about}{check.tokens:,}; {check.billed:,} trained in {check.epochs} epochs"),
        ("cost", cost),
        ("note", say(f"cloud.{check.provider}", language)),
        *first_ten([f"✗ {fault}" for fault in check.faults], "… and {} more."),
    ]


def _submit(args: argparse.Namespace) -> int:
    from ..core.errors import WorkshopError
    from ..training.cloud.jobs import submit_cloud_job
    from ..training.cloud.providers import CloudOrder

    if not args.model:
        raise WorkshopError("Which model is to be tuned? Name it with --model.")
    if not args.really:
        check = _checked(args)
        show(args, check, *_lines(check), "Nothing was sent. With --really the job is started.")
        return MISTAKE if check.faults else OK
    path = args.job or Path("runs") / f"cloud-{args.data.name.partition('.')[0]}.json"
    names = ("server", "key_env", "project", "location", "bucket")
    how = {name: getattr(args, name) for name in names if getattr(args, name)}
    order = CloudOrder(args.model, args.epochs, args.suffix)
    job = submit_cloud_job(args.data, path, args.provider, order, **how)
    show(args, job, *_told(job), ("file", str(path)))
    return OK


def _status(args: argparse.Namespace) -> int:
    from ..training.cloud.jobs import look_at_cloud_job

    return _show(args, look_at_cloud_job(args.job))


def _wait(args: argparse.Namespace) -> int:
    from ..training.cloud.jobs import wait_for_cloud_job

    def tell(job: CloudJob) -> None:
        print(f"{job.looked}  {job.said}", file=sys.stderr, flush=True)

    return _show(args, wait_for_cloud_job(args.job, every=args.every, tell=tell))


def _events(args: argparse.Namespace) -> int:
    from ..training.cloud.jobs import cloud_job_events

    found = cloud_job_events(args.job)
    show(args, {"events": found}, *found)
    return OK


def _cancel(args: argparse.Namespace) -> int:
    from ..training.cloud.jobs import cancel_cloud_job

    return _show(args, cancel_cloud_job(args.job), cancelled=True)


def _show(args: argparse.Namespace, job: CloudJob, *, cancelled: bool = False) -> int:
    show(args, job, *_told(job))
    return WRONG if job.status == "failed" or (job.status == "cancelled" and not cancelled) else OK


def _told(job: CloudJob) -> list[Any]:
    return [
        ("job", f"{job.job} at {job.provider}, {job.rows:,} rows, {job.epochs} epochs"),
        ("status", f"{job.status} ({job.said})" if job.said else job.status),
        ("model", job.tuned) if job.tuned else None,
        ("why", job.error) if job.error else None,
    ]
