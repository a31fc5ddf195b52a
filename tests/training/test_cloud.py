"""Cloud jobs, through the real clients, against a practice server."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from pathlib import Path

import pytest
from commands import run

pytest.importorskip("openai")
pytest.importorskip("google.genai")
from workshop_helpers.core.errors import WorkshopError
from workshop_helpers.core.jsonio import write_json
from workshop_helpers.training.cloud.check import check_cloud_rows, write_cloud_rows
from workshop_helpers.training.cloud.jobs import (
    cancel_cloud_job,
    cloud_job_events,
    look_at_cloud_job,
    read_cloud_job,
    submit_cloud_job,
    wait_for_cloud_job,
)
from workshop_helpers.training.cloud.practice import PracticeServer
from workshop_helpers.training.cloud.providers import CloudOrder, open_provider

KEY = "pk-4Zq8vN2xW7rT1mK9"
ORDER = CloudOrder("model-1", 3, "shop")
PROVIDERS = ("openai", "google", "together")
each_provider = pytest.mark.parametrize("provider", PROVIDERS)


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRACTICE_KEY", KEY)
    # the clients wait before they try again
    monkeypatch.setattr("openai._base_client.INITIAL_RETRY_DELAY", 0.01)


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    path = tmp_path / "rows.jsonl"
    lines = [
        {
            "instruction": f"注文{n}の送料はいくらですか？",
            "input": "",
            "output": f"{n + 3}00円です。",
        }
        for n in range(12)
    ]
    path.write_text("".join(json.dumps(one, ensure_ascii=False) + "\n" for one in lines), "utf-8")
    return path


def how(server: PracticeServer) -> dict[str, str]:
    google = {"project": "p", "bucket": "gs://b/rows"} if server.provider == "google" else {}
    return {"server": server.address, "key_env": "PRACTICE_KEY", **google}


@each_provider
def test_a_job_lives_from_rows_to_a_tuned_model(provider: str, rows: Path, tmp_path: Path) -> None:
    file = tmp_path / "job.json"
    with PracticeServer(provider, KEY) as server:
        job = submit_cloud_job(rows, file, provider, ORDER, **how(server))
        assert job.rows == 12 and job.status == "queued" and job == read_cloud_job(file)
        (sent,) = server.files.values()
        assert len(sent.splitlines()) == 12 and "注文3の送料".encode() in sent
        assert server.jobs[job.job.rpartition("/")[2]]["model"] == "model-1"
        told: list[str] = []
        job = wait_for_cloud_job(file, every=0, tell=lambda one: told.append(one.status))
        assert job.status == "succeeded" and job.tuned and job.ended
        assert told[-1] == "succeeded" and "running" in told
        assert cloud_job_events(file)
        with pytest.raises(WorkshopError, match="ended already: succeeded"):
            cancel_cloud_job(file)
    assert look_at_cloud_job(file) == job, "what has ended is asked for no more"


@each_provider
def test_what_a_killed_process_did_is_not_done_again(
    provider: str, rows: Path, tmp_path: Path
) -> None:
    file = tmp_path / "job.json"
    with PracticeServer(provider, KEY) as server:
        first = submit_cloud_job(rows, file, provider, ORDER, **how(server))
        # killed when the job was started, and before that was written down
        write_json(file, {**first.to_dict(), "job": None, "status": "not submitted"})
        again = submit_cloud_job(rows, file, provider, ORDER, **how(server))
        assert again.job == first.job and len(server.jobs) == len(server.files) == 1
        # killed while it waited
        assert not wait_for_cloud_job(file, every=0, looks=2).ended
        assert wait_for_cloud_job(file, every=0).status == "succeeded"
        # another job on the same rows is another job
        more = submit_cloud_job(rows, tmp_path / "2.json", provider, ORDER, **how(server))
        assert more.file != first.file
        with pytest.raises(WorkshopError, match=r"remembers another job \(other epochs"):
            submit_cloud_job(rows, file, provider, CloudOrder("model-1", 4, "shop"), **how(server))


def test_another_process_goes_on_from_the_file_alone(rows: Path, tmp_path: Path) -> None:
    file = tmp_path / "job.json"
    with PracticeServer("openai", KEY) as server:
        submit_cloud_job(rows, file, "openai", ORDER, **how(server))
        wait_for_cloud_job(file, every=0, looks=1)
        code = (
            "import sys; from workshop_helpers.training.cloud.jobs import wait_for_cloud_job as w;"
            "print(w(sys.argv[1], every=0).status)"
        )
        command = [sys.executable, "-c", code, str(file)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        assert done.stdout.strip() == "succeeded"


@each_provider
def test_a_job_that_fails_says_why_and_one_can_be_cancelled(
    provider: str, rows: Path, tmp_path: Path
) -> None:
    with PracticeServer(provider, KEY, fails="Line 4: the answer is empty.") as server:
        submit_cloud_job(rows, tmp_path / "1.json", provider, ORDER, **how(server))
        job = wait_for_cloud_job(tmp_path / "1.json", every=0)
        assert (job.status, job.error, job.tuned) == (
            "failed",
            "Line 4: the answer is empty.",
            None,
        )
    with PracticeServer(provider, KEY) as server:
        submit_cloud_job(rows, tmp_path / "2.json", provider, ORDER, **how(server))
        assert cancel_cloud_job(tmp_path / "2.json").status == "cancelled"


@pytest.mark.parametrize("provider", ["openai", "together"])
def test_a_busy_server_is_asked_again(provider: str, rows: Path, tmp_path: Path) -> None:
    with PracticeServer(provider, KEY, busy=2) as server:
        submit_cloud_job(rows, tmp_path / "job.json", provider, ORDER, **how(server))
        assert len(server.jobs) == 1
        server.busy = 99
        with pytest.raises(WorkshopError, match=r"\(429\), after 5 tries.*Rate limit") as caught:
            look_at_cloud_job(tmp_path / "job.json")
        assert KEY not in str(caught.value)


@each_provider
def test_the_key_is_in_nothing_that_anybody_reads(
    provider: str, rows: Path, tmp_path: Path, monkeypatch, caplog, capsys
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("OPENAI_LOG", "debug")
    file = tmp_path / "job.json"
    with PracticeServer(provider, KEY) as server:
        submit_cloud_job(rows, file, provider, ORDER, **how(server))
        job = wait_for_cloud_job(file, every=0)
        given = open_provider(provider, **how(server))
        monkeypatch.setenv("PRACTICE_KEY", "another-" + KEY)
        with pytest.raises(WorkshopError, match=r"does not accept the key \(401\)") as caught:
            submit_cloud_job(rows, tmp_path / "2.json", provider, ORDER, **how(server))
    seen = [
        caplog.text, "".join(capsys.readouterr()), repr(job), repr(vars(given)), str(caught.value),
        *(path.read_text("utf-8") for path in tmp_path.glob("*.json")),
    ]  # fmt: skip
    assert not [text for text in seen if KEY in text or KEY[-12:] in text]


def test_rows_with_a_key_or_a_persons_address_are_not_sent(rows: Path, tmp_path: Path) -> None:
    token = "ghp_" + "A1b2C3d4E5f6" * 3
    with open(rows, "a", encoding="utf-8") as more:
        for text in (f"The token is {token}.", "Write to hanako.suzuki@fukuda-denki.co.jp."):
            more.write(json.dumps({"instruction": "How?", "input": "", "output": text}) + "\n")
    check = check_cloud_rows(rows, "openai")
    assert any("rows.jsonl:13" in fault for fault in check.faults)
    assert any("rows.jsonl:14" in fault for fault in check.faults)
    assert token not in str(check.faults) and "hanako.suzuki" not in str(check.faults)
    with PracticeServer("openai", KEY) as server:
        with pytest.raises(WorkshopError, match="Nothing was sent"):
            submit_cloud_job(rows, tmp_path / "job.json", "openai", ORDER, **how(server))
        assert server.requests == [] and not (tmp_path / "job.json").exists()


def test_each_provider_gets_its_format(rows: Path, tmp_path: Path) -> None:
    first = {}
    for provider in PROVIDERS:
        out = write_cloud_rows(rows, provider, tmp_path / f"{provider}.jsonl")
        first[provider] = json.loads(out.read_text("utf-8").splitlines()[0])
    assert first["openai"] == first["together"]
    assert [m["role"] for m in first["openai"]["messages"]] == ["user", "assistant"]
    assert [c["role"] for c in first["google"]["contents"]] == ["user", "model"]
    assert first["google"]["contents"][1]["parts"] == [{"text": "300円です。"}]


def test_tokens_and_cost_are_told_before(rows: Path) -> None:
    check = check_cloud_rows(rows, "openai", model="gpt-4o-mini-2024-07-18", epochs=2)
    assert not check.exact and check.billed == 2 * check.tokens
    assert check.dollars == pytest.approx(check.billed * 3e-6)
    exact = check_cloud_rows(rows, "together", tokenizer="mame", price=0.5)
    assert exact.exact and exact.dollars == pytest.approx(3 * exact.tokens * 0.5e-6)
    padded = check_cloud_rows(rows, "together", price=0.5, max_length=1000)
    assert padded.billed == 3 * 12 * 1000
    assert check_cloud_rows(rows, "google").dollars is None
    few = rows.with_name("few.jsonl")
    few.write_text("".join(rows.read_text("utf-8").splitlines(keepends=True)[:5]), "utf-8")
    assert "10 rows or more, and these are 5" in check_cloud_rows(few, "openai").faults[0]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"server": "ftp://x"}, "no web address"),
        ({"server": "https://me:pass@example.org"}, "Leave them out"),
        ({"server": "http://example.org/v1"}, "unencrypted"),
        ({"key_env": "NOT_SET"}, "NOT_SET is not set"),
    ],
)
def test_a_provider_that_cannot_be_asked_is_refused(options: dict[str, str], said: str) -> None:
    with pytest.raises(WorkshopError, match=said):
        open_provider("openai", **options)


def test_nobody_there_is_told_with_what_to_do(rows: Path, tmp_path: Path) -> None:
    with PracticeServer("openai", KEY) as server:
        submit_cloud_job(rows, tmp_path / "job.json", "openai", ORDER, **how(server))
    with pytest.raises(WorkshopError, match="does not answer.*goes on by itself"):
        look_at_cloud_job(tmp_path / "job.json")


def test_the_commands(rows: Path, tmp_path: Path, capsys) -> None:
    def workshop(*words: str, code: int = 0) -> str:
        found, out, errors = run(capsys, "cloud", *words)
        assert found == code, errors
        return out + errors

    asked = ["--data", str(rows), "--provider", "openai", "--model", "gpt-4o-mini-2024-07-18"]
    assert "cost" in workshop("check", *asked)
    file = tmp_path / "job.json"
    with PracticeServer("openai", KEY) as server:
        to = ["--job", str(file), "--server", server.address, "--key-env", "PRACTICE_KEY"]
        assert "Nothing was sent" in workshop("submit", *asked, *to)
        assert server.requests == [] and not file.exists()
        assert "ftjob-1" in workshop("submit", *asked, *to, "--really")
        assert "queued" in workshop("status", str(file))
        assert "Created job" in workshop("events", str(file))
        assert "ft:gpt-4o-mini" in workshop("wait", str(file), "--every", "0.01")
        assert "ended already" in workshop("cancel", str(file), code=2)
        server.fails = "The rows are no good."
        other = ["--job", str(tmp_path / "2.json"), *to[2:]]
        workshop("submit", *asked, *other, "--really")
        assert "no good" in workshop("wait", str(tmp_path / "2.json"), "--every", "0.01", code=1)
    assert "no file of a cloud job" in workshop("status", str(_other(tmp_path)), code=2)
    assert "no file" in workshop("check", "--data", "no.jsonl", "--provider", "openai", code=2)


def _other(folder: Path) -> Path:
    path = folder / "other.json"
    path.write_text("{}", encoding="utf-8")
    return path
