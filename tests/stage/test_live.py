"""Whatever goes wrong on the stage, the rehearsed result is there within five seconds, labelled."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable

import pytest
from made_up_talk import Talk

from workshop_helpers.core.errors import WorkshopError
from workshop_helpers.stage.live import Live
from workshop_helpers.stage.papers import now_page
from workshop_helpers.stage.store import Rehearsal
from workshop_helpers.stage.unattended import give
from workshop_helpers.stage.view import View

QUICK = 5.0  # seconds within which the rehearsed result must be there
HANG = "import time\nwhile True: time.sleep(1)"
DEAF = "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n" + HANG


def until(live: Live, true: Callable[[View], bool], most: float = 60) -> View:
    end = time.monotonic() + most
    while time.monotonic() < end:
        live.tick()
        view = live.view()
        if true(view):
            return view
        time.sleep(0.05)
    raise TimeoutError(live.view())


def to_risky(live: Live) -> None:
    """Give the first scene, and run the second."""
    live.proceed()
    view = until(live, lambda view: view.state == "live")
    assert "greeting" in str(view.outputs) and view.label is None
    live.proceed()
    assert live.view().scene.name == "risky" and live.view().state == "waiting"
    live.proceed()


def is_rehearsed(talk: Talk, live: Live) -> View:
    """It is the rehearsed result that is shown, and everybody is told so."""
    view = live.view()
    rehearsed = Rehearsal.load("mame", "en", talk.runs).result("risky")
    assert view.state == "rehearsed" and view.outputs == rehearsed.outputs
    assert view.label == rehearsed.label
    page = now_page(view, "en")
    assert "not live" in page and rehearsed.machine in page and "risky, live" in page
    return view


def ends_live(live: Live) -> None:
    """The rest of the talk is live again."""
    for name in ("after", "second"):
        live.proceed()
        assert live.view().scene.name == name
        live.proceed()
        until(live, lambda view: view.state == "live")


def log(talk: Talk) -> list[dict]:
    return [json.loads(line) for line in (talk.stage() / "live.jsonl").read_text().splitlines()]


def test_a_talk_goes_from_its_first_scene_to_its_summary(talk):
    with talk.live() as live:
        to_risky(live)
        until(live, lambda view: view.state == "live")
        ends_live(live)
        live.proceed()
        view = live.view()
        assert view.scene is None and view.place == 2 and live.last
        assert view.notices == ()
    names = [event["name"] for event in log(talk)]
    assert names[0] == "started" and names.count("live") == 4 and names[-1] == "ended"


def test_a_cell_that_fails(talk):
    talk.fault.write_text("print('so far')\nraise ValueError('on purpose')")
    with talk.live() as live:
        to_risky(live)
        view = until(live, lambda view: view.state == "failed")
        assert "on purpose" in view.why.said() and "so far" in str(view.outputs)
        begin = time.monotonic()
        live.show_rehearsed()
        is_rehearsed(talk, live)
        assert time.monotonic() - begin < QUICK
        ends_live(live)
    (shown,) = [event for event in log(talk) if event["name"] == "rehearsed"]
    assert "not live" in shown["values"]["label"]


def test_shown_by_itself_where_that_was_asked_for(talk):
    talk.fault.write_text("raise ValueError('on purpose')")
    heard = {}
    with talk.live(auto=True, listen=lambda e: heard.setdefault(e.name, time.monotonic())) as live:
        to_risky(live)
        until(live, lambda view: view.state == "rehearsed")
        is_rehearsed(talk, live)
    assert heard["rehearsed"] - heard["failed"] < QUICK


@pytest.mark.skipif(os.name == "nt", reason="signals")
@pytest.mark.parametrize("obeys", [True, False])
def test_a_cell_that_hangs(talk, obeys):
    talk.fault.write_text(HANG if obeys else DEAF)
    heard = []
    with talk.live(listen=lambda event: heard.append(event.name)) as live:
        to_risky(live)
        until(live, lambda view: view.state == "running")
        pid = live.kernel_pid("01_first")
        begin = time.monotonic()
        live.show_rehearsed()
        is_rehearsed(talk, live)
        assert time.monotonic() - begin < 0.5
        talk.fault.write_text(
            ""
        )  # where it obeys, it is run again silently: what is below needs it
        ends_live(live)
        assert live.view().scene.name == "second"
        if obeys:
            assert live.kernel_pid("01_first") in (pid, None)  # None: over, and let go
        else:
            assert "restarted" in heard


def test_a_scene_that_takes_too_long_is_told_and_helped(talk):
    talk.fault.write_text(HANG)
    late, heard = [0.0], []
    now = lambda: time.monotonic() + late[0]  # noqa: E731
    with talk.live(now=now, listen=lambda event: heard.append(event.name)) as live:
        to_risky(live)
        view = until(live, lambda view: view.state == "running")
        assert not view.overdue and view.limit == 10
        late[0] = 11
        view = until(live, lambda view: view.overdue)
        assert view.state == "running" and "overdue" in heard
        live.auto = True
        live.tick()
        is_rehearsed(talk, live)


@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_a_kernel_that_is_killed(talk):
    talk.fault.write_text(HANG)
    with talk.live(auto=True) as live:
        to_risky(live)
        until(live, lambda view: view.state == "running")
        pid = live.kernel_pid("01_first")
        talk.fault.write_text("")
        begin = time.monotonic()
        os.kill(pid, signal.SIGKILL)
        until(live, lambda view: view.state == "rehearsed")
        assert time.monotonic() - begin < QUICK
        assert "died" in is_rehearsed(talk, live).why.said()
        ends_live(live)
        assert live.kernel_pid("01_first") != pid


SERVER = """
import http.server, time
class Slow(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "1000000")
        self.end_headers()
        while True:
            self.wfile.write(b"a word ")
            self.wfile.flush()
            time.sleep(0.1)
server = http.server.HTTPServer(("127.0.0.1", 0), Slow)
print(server.server_port, flush=True)
server.serve_forever()
"""


def test_a_server_that_is_killed_in_the_middle_of_an_answer(talk):
    with subprocess.Popen(
        [sys.executable, "-c", SERVER], stdout=subprocess.PIPE, text=True
    ) as server:
        port = int(server.stdout.readline())
        talk.fault.write_text(
            "import urllib.request\n"
            f"answer = urllib.request.urlopen('http://127.0.0.1:{port}')\n"
            "print(answer.read(7), flush=True)\nanswer.read()"
        )
        with talk.live(auto=True) as live:
            to_risky(live)
            until(live, lambda view: "a word" in str(view.outputs))
            begin = time.monotonic()
            server.kill()
            until(live, lambda view: view.state == "rehearsed")
            assert time.monotonic() - begin < QUICK
            assert is_rehearsed(talk, live).why is not None
            ends_live(live)


def test_no_network(talk, monkeypatch):
    for name in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    talk.fault.write_text("import urllib.request\nurllib.request.urlopen('http://example.org')")
    with talk.live(auto=True) as live:
        to_risky(live)
        view = until(live, lambda view: view.state == "rehearsed")
        is_rehearsed(talk, live)
        assert "URLError" in view.why.said() and view.seconds < QUICK
        ends_live(live)


@pytest.mark.skipif(os.name == "nt", reason="RLIMIT_FSIZE")
@pytest.mark.parametrize("limit", [0, 100_000])
def test_a_full_disk(talk, limit):
    """Of 0 bytes: no kernel starts, and nothing can be noted. Of more: a cell fails."""
    talk.fault.write_text("open('large.bin', 'wb').write(bytes(1_000_000))")
    then = (
        "import json, resource, dataclasses; from workshop_helpers.stage.unattended import give; "
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit})); "
        "print(json.dumps(give(live).to_dict()))"
    )
    # of 0 bytes before anything is opened
    full = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))\n"
    code = talk.program(then) if limit else full + talk.program(then)
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, encoding="utf-8"
    )
    assert done.returncode == 0, done.stderr
    given = json.loads(done.stdout)
    states = {s["name"]: s["state"] for section in given["sections"] for s in section["scenes"]}
    if limit == 0:
        assert set(states.values()) == {"rehearsed"}
        assert "cannot be written" in str(given["notices"])
    else:
        assert states == {
            "greeting": "live", "risky": "rehearsed", "after": "live", "second": "live",
        }  # fmt: skip
    scenes = [s for section in given["sections"] for s in section["scenes"]]
    assert all(s["seconds"] < QUICK for s in scenes if s["state"] == "rehearsed")


def test_a_changed_cell_is_told(tmp_path):
    talk = Talk(tmp_path)
    talk.write()
    talk.rehearse()
    talk.write(second="1 / 0")
    with talk.live(section="demo", auto=True) as live:
        assert live.view().stale.code == "changed"
        assert "has changed" in live.view().notices[0].said()
        live.proceed()
        view = until(live, lambda view: view.state == "rehearsed")
        assert "second, live" in str(view.outputs) and view.stale is not None
        assert "has changed" in now_page(view, "en")


def test_the_clock_warns_before_a_section_is_over_and_when_it_is_late(talk):
    now, heard = [100.0], []
    with talk.live(now=lambda: now[0], listen=lambda e: heard.append(e.name)) as live:

        def at(seconds: float) -> tuple[str, float]:
            now[0] = 100.0 + seconds
            live.tick()
            return live.view().pace, live.view().left

        live.pause()  # starts it, too
        assert at(0) == ("ok", 120) and at(90) == ("ok", 30)
        assert at(100) == ("soon", 20) and at(125) == ("late", -5)
        assert [name for name in heard if name in ("soon", "late")] == ["soon", "late"]
        live.pause()
        assert at(500) == ("late", -5)
        live.pause()
        live.skip()
        assert live.view().place == 1 and live.view().pace == "ok"
        assert live.view().left == 175 and live.view().elapsed == 125
    with talk.live(minutes=1, section="summary") as live:
        assert live.view().total == pytest.approx(60) and live.view().place == 2
        assert live.view().elapsed == pytest.approx(50) and live.view().left == pytest.approx(10)
    with pytest.raises(WorkshopError, match="what, demo, summary"):
        talk.live(section="coffee")


def test_what_is_given_unattended_is_measured_against_the_minutes(talk):
    with talk.live(minutes=0.001) as live:
        given = give(live).to_dict()
    assert given["live"] and not given["fits"]
    sections = {section["name"]: section for section in given["sections"]}
    assert [s["state"] for s in sections["what"]["scenes"]] == ["live"] * 3
    assert not sections["what"]["fits"] and sections["summary"]["fits"]
    assert sections["what"]["scenes"][0]["cell"] == "01_first [2]"


def test_two_talks_do_not_share_a_folder(talk):
    with talk.live(), pytest.raises(WorkshopError, match="Another run is at work"):
        talk.live()
