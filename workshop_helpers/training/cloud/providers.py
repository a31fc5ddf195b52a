"""One protocol for the jobs of OpenAI, Google and Together, each through a real client.

`openai` speaks to OpenAI, and to Together, whose API has the same manners under other paths (its
own package is not needed for six requests). `google-genai` speaks to Google. Retries after a busy
server (429) or a failing one (5xx) are the clients' own.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast
from urllib.parse import urlsplit

from ...core.errors import WorkshopError, first_line, from_extra
from ...core.outside import Secret, hide

TRIES = 5  # of one request
SILENCE = 60.0  # seconds that a server may take for an answer
QUEUED, RUNNING, SUCCEEDED, FAILED, CANCELLED = (
    "queued", "running", "succeeded", "failed", "cancelled",
)  # fmt: skip
ENDED = (SUCCEEDED, FAILED, CANCELLED)
# What each provider calls a job's state → ours.
_OPENAI_STATES = {
    "validating_files": QUEUED, "queued": QUEUED, "paused": RUNNING, "running": RUNNING,
    "succeeded": SUCCEEDED, "failed": FAILED, "cancelled": CANCELLED,
}  # fmt: skip
_TOGETHER_STATES = {
    "pending": QUEUED, "queued": QUEUED, "running": RUNNING, "compressing": RUNNING,
    "uploading": RUNNING, "cancel_requested": RUNNING, "completed": SUCCEEDED,
    "error": FAILED, "user_error": FAILED, "cancelled": CANCELLED,
}  # fmt: skip
_GOOGLE_STATES = {
    "QUEUED": QUEUED, "PENDING": QUEUED, "RUNNING": RUNNING, "UPDATING": RUNNING,
    "PAUSED": RUNNING, "CANCELLING": RUNNING, "SUCCEEDED": SUCCEEDED,
    "PARTIALLY_SUCCEEDED": SUCCEEDED, "FAILED": FAILED, "EXPIRED": FAILED,
    "CANCELLED": CANCELLED,
}  # fmt: skip


@dataclass(frozen=True)
class CloudOrder:
    """What is ordered: a `model` tuned for `epochs`; `suffix`: a part of the tuned one's name."""

    model: str
    epochs: int
    suffix: str = ""


@dataclass(frozen=True)
class JobState:
    """How a job stands: one of ours (`status`), as the provider calls it (`said`), the tuned
    `model` when there is one, and why it failed (`error`).
    """

    status: str
    said: str
    model: str | None = None
    error: str | None = None


class Provider(Protocol):
    """A provider's jobs. All methods raise WorkshopError when it refuses or stays away."""

    name: str
    server: str

    def upload(self, file: Path) -> str:
        """Send a file of rows; returns what the provider calls it."""

    def create(self, file: str, order: CloudOrder) -> str:
        """Start a job on an uploaded file; returns its id. This is what costs money."""

    def find(self, file: str) -> str | None:
        """The id of a job that was started on the file already: nobody pays for it twice."""

    def look(self, job: str) -> JobState:
        """How the job stands."""

    def events(self, job: str) -> list[str]:
        """What the provider tells of the job, oldest first; Google has no such list."""

    def cancel(self, job: str) -> None:
        """Ask for the job to be ended. What was trained so far is paid for."""


def open_provider(
    name: str,
    *,
    server: str | None = None,
    key_env: str | None = None,
    project: str | None = None,
    location: str = "us-central1",
    bucket: str | None = None,
) -> Provider:
    """The provider "openai", "together" or "google".

    `server`: another address than its own, as for the practice server. `key_env`: the environment
    variable with the key. Google needs a `project`, and a `bucket` ("gs://NAME/FOLDER") for files;
    without a key it takes the login of its own tools.
    Raises WorkshopError for an unknown name, a missing key, and an address with a key in it.
    """
    if server is not None:
        _check_address(server)
    if name == "openai":
        return _OpenAI(server, key_env)
    if name == "together":
        return _Together(server, key_env)
    if name == "google":
        return _Google(server, key_env, project, location, bucket)
    raise WorkshopError(
        f"There is no provider {name!r} here; choose from openai, google, together."
    )


class _OpenAI:
    name, key_env, address = "openai", "OPENAI_API_KEY", "https://api.openai.com/v1"
    states = _OPENAI_STATES

    def __init__(self, server: str | None, key_env: str | None) -> None:
        with from_extra("advanced", "The package openai"):
            import openai
        self.server = server or self.address
        self._key = read_key(key_env or self.key_env)

        def sign(request: Any) -> None:
            # Here, not in the client, which would print it; and nothing of the environment's
            # OPENAI_ORG_ID and the like goes to another server.
            request.headers["Authorization"] = self._key.header()

        http = openai.DefaultHttpxClient(
            follow_redirects=False, event_hooks={"request": [sign]}, timeout=SILENCE
        )
        self._client = openai.OpenAI(
            base_url=self.server, api_key="none", max_retries=TRIES - 1, http_client=http
        )

    def upload(self, file: Path) -> str:
        with explained(self), open(file, "rb") as handle:
            return self._client.files.create(file=handle, purpose="fine-tune").id

    def create(self, file: str, order: CloudOrder) -> str:
        how: Any = {"hyperparameters": {"n_epochs": order.epochs}}
        with explained(self):
            jobs = self._client.fine_tuning.jobs
            return jobs.create(
                model=order.model, training_file=file,
                method={"type": "supervised", "supervised": how},
                suffix=order.suffix or None,
            ).id  # fmt: skip

    def find(self, file: str) -> str | None:
        with explained(self):
            jobs = self._client.fine_tuning.jobs.list(limit=100).data
        return next((job.id for job in jobs if job.training_file == file), None)

    def look(self, job: str) -> JobState:
        with explained(self, job):
            found = self._client.fine_tuning.jobs.retrieve(job)
        error = found.error.message if found.error else None
        return _state(self.states, found.status, found.fine_tuned_model, error)

    def events(self, job: str) -> list[str]:
        with explained(self, job):
            found = self._client.fine_tuning.jobs.list_events(job, limit=100).data
        return [hide(event.message) for event in reversed(found)]

    def cancel(self, job: str) -> None:
        with explained(self, job):
            self._client.fine_tuning.jobs.cancel(job)


class _Together(_OpenAI):
    """The paths of Together's REST API, as documented, through `openai`'s client."""

    name, key_env, address = "together", "TOGETHER_API_KEY", "https://api.together.xyz/v1"
    states = _TOGETHER_STATES

    def _ask(self, method: str, path: str, **more: Any) -> dict[str, Any]:
        found: Any = getattr(self._client, method)(path, cast_to=object, **more)
        if not isinstance(found, dict):
            raise WorkshopError(
                f"{self.server}{path} answers with something that is no JSON object."
            )
        return found

    def upload(self, file: Path) -> str:
        form = {"purpose": "fine-tune", "file_name": file.name, "file_type": "jsonl"}
        with explained(self):
            sent = self._ask(
                "post", "/files/upload", body=form, files={"file": (file.name, file.read_bytes())},
                options={"headers": {"Content-Type": "multipart/form-data"}},
            )  # fmt: skip
        return str(sent["id"])

    def create(self, file: str, order: CloudOrder) -> str:
        body = {
            "model": order.model, "training_file": file, "n_epochs": order.epochs,
            "training_type": {"type": "Lora"}, "training_method": {"method": "sft"},
            "suffix": order.suffix,
        }  # fmt: skip
        with explained(self):
            return str(self._ask("post", "/fine-tunes", body=body)["id"])

    def find(self, file: str) -> str | None:
        with explained(self):
            jobs = self._ask("get", "/fine-tunes").get("data") or []
        return next((str(job["id"]) for job in jobs if job.get("training_file") == file), None)

    def look(self, job: str) -> JobState:
        with explained(self, job):
            found = self._ask("get", f"/fine-tunes/{job}")
        said = str(found.get("status"))
        tuned = found.get("model_output_name") or found.get("output_name")
        ended = self.states.get(said) == SUCCEEDED
        last = self.events(job)[-1:] if self.states.get(said) == FAILED else []
        return _state(self.states, said, tuned if ended else None, *last)

    def events(self, job: str) -> list[str]:
        with explained(self, job):
            found = self._ask("get", f"/fine-tunes/{job}/events").get("data") or []
        return [hide(str(event.get("message"))) for event in found]

    def cancel(self, job: str) -> None:
        with explained(self, job):
            self._ask("post", f"/fine-tunes/{job}/cancel")


class _Google:
    name, key_env = "google", "GOOGLE_ACCESS_TOKEN"
    states = _GOOGLE_STATES

    def __init__(
        self, server: str | None, key_env: str | None, project: str | None, location: str,
        bucket: str | None,
    ) -> None:  # fmt: skip
        with from_extra("advanced", "The package google-genai"):
            from google import genai
            from google.genai.types import HttpOptions, HttpRetryOptions
            from google.oauth2.credentials import Credentials
        if not project:
            raise WorkshopError("Google's jobs belong to a project: name it with --project.")
        self.server = server or f"https://{location}-aiplatform.googleapis.com"
        self._storage = server or "https://storage.googleapis.com"
        self._bucket = bucket
        named = key_env or (self.key_env if server or os.environ.get(self.key_env) else None)
        self._key = read_key(named) if named else Secret()
        token = self._key.header().removeprefix("Bearer ")
        self._credentials: Any = Credentials(token=token) if named else None
        self._client = genai.Client(
            enterprise=True, project=project, location=location, credentials=self._credentials,
            http_options=HttpOptions(
                base_url=server, timeout=round(1000 * SILENCE),
                retry_options=HttpRetryOptions(attempts=TRIES),
            ),
        )  # fmt: skip

    def upload(self, file: Path) -> str:
        """Into the bucket, by Cloud Storage's JSON API: `client.tunings` reads from there alone."""
        import google.auth
        from google.auth.transport.requests import AuthorizedSession

        if not (self._bucket or "").startswith("gs://"):
            raise WorkshopError(
                "Google reads rows from a bucket of yours: name it with --bucket gs://NAME/FOLDER."
            )
        bucket, _, folder = str(self._bucket).removeprefix("gs://").strip("/").partition("/")
        name = f"{folder}/{file.name}" if folder else file.name
        if self._credentials is None:
            self._credentials = google.auth.default()[0]
        with explained(self):
            sent = AuthorizedSession(self._credentials, max_refresh_attempts=0).post(
                f"{self._storage}/upload/storage/v1/b/{bucket}/o",
                params={"uploadType": "media", "name": name}, data=file.read_bytes(),
                headers={"Content-Type": "application/jsonl"}, timeout=SILENCE,
                allow_redirects=False,
            )  # fmt: skip
            if sent.status_code != 200:
                raise _refused(self, sent.status_code, sent.text)
        return f"gs://{bucket}/{name}"

    def create(self, file: str, order: CloudOrder) -> str:
        from google.genai.types import CreateTuningJobConfig, TuningDataset

        how = CreateTuningJobConfig(
            epoch_count=order.epochs, tuned_model_display_name=order.suffix or "workshop"
        )
        with explained(self), _without_button(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # "experimental", said in the chapter
            made = self._client.tunings.tune(
                base_model=order.model, training_dataset=TuningDataset(gcs_uri=file), config=how
            )
        return str(made.name)

    def find(self, file: str) -> str | None:
        with explained(self):
            for job in self._client.tunings.list():
                spec = job.supervised_tuning_spec
                if spec is not None and spec.training_dataset_uri == file:
                    return job.name
        return None

    def look(self, job: str) -> JobState:
        with explained(self, job):
            found = self._client.tunings.get(name=job)
        said = str(found.state.value if found.state else "").removeprefix("JOB_STATE_")
        tuned = found.tuned_model.endpoint or found.tuned_model.model if found.tuned_model else None
        return _state(self.states, said, tuned, found.error.message if found.error else None)

    def events(self, job: str) -> list[str]:
        return [f"state: {self.look(job).said}"]

    def cancel(self, job: str) -> None:
        with explained(self, job):
            self._client.tunings.cancel(name=job)


def read_key(name: str) -> Secret:
    """The key in the environment variable `name`. Raises WorkshopError without quoting it."""
    value = os.environ.get(name, "").strip()
    if not value:
        raise WorkshopError(
            f"The environment variable {name} is not set; the provider's key belongs there, never "
            "into a cell, a file or an option."
        )
    if not all("!" <= character <= "~" for character in value):
        raise WorkshopError(f"The key in {name} holds a space or another character no key has.")
    return Secret(value)


def _check_address(server: str) -> None:
    parts = urlsplit(server)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise WorkshopError("--server is no web address. Example: http://127.0.0.1:8000/v1")
    if parts.username or parts.password or parts.query:
        raise WorkshopError(
            "The server's address holds a user name, a password or a query. Leave them out: it is "
            "written into the job's file. A key belongs into an environment variable (--key-env)."
        )
    if parts.scheme == "http" and parts.hostname not in ("127.0.0.1", "localhost", "::1"):
        raise WorkshopError(f"A key would go to {parts.hostname} unencrypted. Use https.")


def _without_button() -> AbstractContextManager[Any]:
    """In a notebook `tune` would show a button that leads to Google's console."""
    if "IPython" not in sys.modules:
        return nullcontext()
    from IPython.utils.capture import capture_output

    return cast("AbstractContextManager[Any]", capture_output())


def _state(
    states: dict[str, str], said: str, model: str | None = None, error: str | None = None
) -> JobState:
    """A status that is new to us is taken for work that goes on, and shown as it is."""
    return JobState(states.get(said, RUNNING), said, model, hide(error) if error else None)


@contextmanager
def explained(provider: Provider, job: str | None = None) -> Iterator[None]:
    """What the clients raise, as a sentence: what happened, where, what to do next."""
    try:
        yield
    except WorkshopError:
        raise
    except Exception as error:
        status = getattr(error, "status_code", None) or getattr(error, "code", None)
        if isinstance(status, int) and status >= 300:
            text = getattr(error, "message", None) or str(error)
            raise _refused(provider, status, str(text), job) from None
        family = type(error).__module__.partition(".")[0]
        if family not in ("openai", "httpx", "httpx2", "google", "requests"):
            raise
        why = first_line(error)
        raise WorkshopError(
            f"{provider.server} does not answer ({why}). Look at the network and the address. "
            "A job that was started goes on by itself: `workshop cloud wait` takes it up again."
        ) from None


_REFUSALS = {
    400: "refuses the request ({status}).{said}",
    401: "does not accept the key ({status}).{said} Is it the right one, and still valid?",
    403: "does not allow this with your key ({status}).{said} Since 2026 some providers take "
    "no new customers for fine-tuning.",
    404: "knows no such thing ({status}).{said} Look at the model, the job{job} and the address.",
    429: "is too busy or your quota is used up ({status}), after {tries} tries.{said} Wait a while "
    "and run it again, or look at the account.",
    500: "failed {tries} times ({status}).{said} Wait a while, and run it again.",
}


def _refused(provider: Provider, status: int, text: str, job: str | None = None) -> WorkshopError:
    kind = status if status in _REFUSALS else {3: 404, 4: 400}.get(status // 100, 500)
    said = " ".join(hide(text).split())[:300]
    values = {
        "status": status, "said": f" It says: {said}" if said else "", "tries": TRIES,
        "job": f" {job}" if job else "",
    }  # fmt: skip
    return WorkshopError(f"{provider.server} {_REFUSALS[kind].format(**values)}")
