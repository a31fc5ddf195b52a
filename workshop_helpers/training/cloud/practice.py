"""A practice server: it plays OpenAI, Together or Google's tuning service on this machine, so that
the life of a job can be lived without an account. It trains nothing. A job takes one step further
each time somebody looks at it, and its rows are really looked at.
"""

from __future__ import annotations

import email
import email.policy
import json
import re
import threading
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from ...core.errors import Closing

# The states of a job that succeeds, as each provider calls them.
STEPS = {
    "openai": ("validating_files", "queued", "running", "running", "succeeded"),
    "together": ("pending", "queued", "running", "uploading", "completed"),
    "google": ("JOB_STATE_QUEUED", "JOB_STATE_PENDING", "JOB_STATE_RUNNING",
               "JOB_STATE_RUNNING", "JOB_STATE_SUCCEEDED"),
}  # fmt: skip
_FAILED = {"openai": "failed", "together": "error", "google": "JOB_STATE_FAILED"}
_CANCELLED = {"openai": "cancelled", "together": "cancelled", "google": "JOB_STATE_CANCELLED"}
_TUNED = {"openai": "ft:{model}:practice::1", "together": "practice/{model}-1",
          "google": "projects/practice/locations/us-central1/endpoints/1"}  # fmt: skip


class PracticeServer(Closing):
    """Plays `provider`; `address` is what a client is given. It wants the key `key`.

    `busy`: how many requests it turns away first (429). `fails`: a job fails in its third step
    with this message. `requests`: what was asked, as "POST /v1/files", in order. With `with` it is
    closed at the end.
    """

    def __init__(self, provider: str, key: str, *, busy: int = 0, fails: str = "") -> None:
        self.provider, self.busy, self.fails = provider, busy, fails
        self.files: dict[str, bytes] = {}
        self.jobs: dict[str, dict[str, Any]] = {}
        self.requests: list[str] = []
        self._key, self._lock = key, threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        path = "" if provider == "google" else "/v1"
        self.address = f"http://127.0.0.1:{self._server.server_port}{path}"

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()

    def answer(self, method: str, path: str, headers: Any, body: bytes) -> tuple[int, Any]:
        """Status and JSON for a request."""
        with self._lock:
            plain, _, query = path.partition("?")
            self.requests.append(f"{method} {plain}")
            if headers.get("Authorization") != f"Bearer {self._key}":
                return 401, _error("Incorrect API key provided.")
            if self.busy:
                self.busy -= 1
                return 429, _error("Rate limit reached. Please try again.")
            for pattern, reply in self._routes():
                if found := re.fullmatch(pattern, f"{method} {plain}"):
                    return reply(*found.groups(), headers=headers, body=body, query=query)
        return 404, _error(f"There is no {plain}.")

    def _routes(self) -> Sequence[tuple[str, Any]]:
        if self.provider == "google":
            jobs = r"/v1beta1/(?:projects/[^/]+/locations/[^/]+/)?tuningJobs"
            one = r"/v1beta1/projects/[^/]+/locations/[^/]+/tuningJobs/(\w+)"
            upload = r"POST /upload/storage/v1/b/([^/]+)/o"
            cancel = rf"POST {one}:cancel"
        else:
            jobs = "/v1/fine_tuning/jobs" if self.provider == "openai" else "/v1/fine-tunes"
            one = rf"{jobs}/([\w-]+)"
            upload = "POST /v1/files" + ("/upload" if self.provider == "together" else "")
            cancel = rf"POST {one}/cancel"
        return (
            (upload, self._upload), (f"POST {jobs}", self._create), (f"GET {jobs}", self._list),
            (cancel, self._cancel), (rf"GET {one}/events", self._events),
            (f"GET {one}", self._look),
        )  # fmt: skip

    def _upload(
        self, bucket: str = "", *, headers: Any, body: bytes, query: str
    ) -> tuple[int, Any]:
        if bucket:
            name = dict(part.split("=") for part in query.split("&"))["name"].replace("%2F", "/")
            self.files[f"gs://{bucket}/{name}"] = body
            return 200, {"name": name, "bucket": bucket}
        name = f"file-{len(self.files) + 1}"
        self.files[name] = _part(headers, body, "file")
        return 200, {
            "id": name, "object": "file", "bytes": len(self.files[name]), "created_at": 0,
            "filename": "rows.jsonl", "purpose": "fine-tune", "status": "processed",
        }  # fmt: skip

    def _create(self, *, headers: Any, body: bytes, query: str) -> tuple[int, Any]:
        asked = json.loads(body)
        spec = asked.get("supervisedTuningSpec") or {}
        file = asked.get("training_file") or spec.get("trainingDatasetUri")
        model = asked.get("model") or asked.get("baseModel")
        if file not in self.files:
            return 400, _error(f"There is no file {file}.")
        name = f"ftjob-{len(self.jobs) + 1}" if self.provider != "google" else "1234"
        fault = _fault(self.files[file], self.provider)
        self.jobs[name] = {
            "file": file, "model": model, "steps": list(STEPS[self.provider]), "asked": asked,
            "events": [f"Created job for {len(self.files[file].splitlines())} rows."],
            "error": fault,
        }  # fmt: skip
        return 200, self._shown(name)

    def _look(self, name: str, **request: Any) -> tuple[int, Any]:
        if name not in self.jobs:
            return 404, _error(f"There is no job {name}.")
        job = self.jobs[name]
        if len(job["steps"]) > 1:
            job["steps"].pop(0)
            failed = job["error"] or (self.fails if len(job["steps"]) <= 2 else None)
            if failed:
                job["error"], job["steps"] = failed, [_FAILED[self.provider]]
            job["events"].append(failed or f"The job is now {job['steps'][0]}.")
        return 200, self._shown(name)

    def _list(self, **request: Any) -> tuple[int, Any]:
        found = [self._shown(name) for name in self.jobs]
        key = "tuningJobs" if self.provider == "google" else "data"
        return 200, {key: found, "object": "list", "has_more": False}

    def _events(self, name: str, **request: Any) -> tuple[int, Any]:
        told = [
            {"id": f"e{n}", "object": "fine_tuning.job.event", "created_at": n, "level": "info",
             "message": text}
            for n, text in enumerate(self.jobs[name]["events"])
        ]  # fmt: skip
        newest_first = self.provider == "openai"  # Together tells the oldest first
        return 200, {"object": "list", "has_more": False,
                     "data": told[::-1] if newest_first else told}  # fmt: skip

    def _cancel(self, name: str, **request: Any) -> tuple[int, Any]:
        self.jobs[name]["steps"] = [_CANCELLED[self.provider]]
        self.jobs[name]["events"].append("The job was cancelled.")
        return 200, {} if self.provider == "google" else self._shown(name)

    def _shown(self, name: str) -> dict[str, Any]:
        job = self.jobs[name]
        said, error = job["steps"][0], job["error"] if len(job["steps"]) == 1 else None
        done = said == STEPS[self.provider][-1]
        tuned = _TUNED[self.provider].format(model=job["model"]) if done else None
        if self.provider == "google":
            place = "projects/practice/locations/us-central1"
            return {
                "name": f"{place}/tuningJobs/{name}", "state": said, "baseModel": job["model"],
                "supervisedTuningSpec": {"trainingDatasetUri": job["file"]},
                **({"tunedModel": {"endpoint": tuned}} if tuned else {}),
                **({"error": {"code": 3, "message": error}} if error else {}),
            }  # fmt: skip
        shown = {"id": name, "status": said, "model": job["model"], "training_file": job["file"]}
        if self.provider == "together":
            return {**shown, "model_output_name": tuned}
        return {
            **shown, "object": "fine_tuning.job", "created_at": 0, "fine_tuned_model": tuned,
            "finished_at": None, "hyperparameters": {}, "organization_id": "practice", "seed": 0,
            "result_files": [], "trained_tokens": None, "validation_file": None,
            "error": {"code": "invalid_training_file", "message": error, "param": None}
            if error else None,
        }  # fmt: skip


def _error(message: str) -> dict[str, Any]:
    return {"error": {"message": message, "type": "practice", "code": None, "param": None}}


def _part(headers: Any, body: bytes, name: str) -> bytes:
    """One part of a multipart form."""
    head = f"Content-Type: {headers['Content-Type']}\r\n\r\n".encode()
    form = email.message_from_bytes(head + body, policy=email.policy.HTTP)
    for part in form.iter_parts():
        if part.get_param("name", header="content-disposition") == name:
            return bytes(part.get_payload(decode=True))
    return b""


def _fault(rows: bytes, provider: str) -> str | None:
    """What such a service finds in a file that is not what it takes."""
    for number, line in enumerate(rows.decode("utf-8").splitlines(), start=1):
        try:
            row = json.loads(line)
            turns = row["contents"] if provider == "google" else row["messages"]
            last = {"google": "model"}.get(provider, "assistant")
            if turns[-1]["role"] != last:
                return f"Line {number}: the last turn is not the {last}'s."
        except (ValueError, KeyError, IndexError, TypeError) as error:
            return f"Line {number} is not in the right format ({type(error).__name__})."
    return None


def _handler(practice: PracticeServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def _reply(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, found = practice.answer(self.command, self.path, self.headers, body)
            content = json.dumps(found).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = _reply

        def log_message(self, format: str, *arguments: Any) -> None:
            """No log: a request's headers hold the key."""

    return Handler
