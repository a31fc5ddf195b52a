"""llama.cpp through `xllamacpp`: a GGUF opened, asked and continued.

xllamacpp starts llama.cpp's own server, in a child process, on a random port of 127.0.0.1. Its HTTP
interface tells more than its Python methods (token ids, why an answer stopped, timings), so that is
what is spoken here; nothing leaves the machine.
"""

from __future__ import annotations

import http.client
import json
import os
import time
import unicodedata
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ..core.child import Child
from ..core.errors import Closing, WorkshopError, from_extra
from ..models.chat import Answer, Messages, Sampling
from ..models.rendering import SECONDS, Refused, render
from .header import GgufFile, composed, read_gguf

_CONTEXT = 2048  # tokens a question and its answer may take, where the model has room for so many
# Loading is given up after so many seconds, and so many bytes of the file a second.
_LOADING, _LEAST_SPEED = 60.0, 5e6
CACHE_BYTES = 2**30  # what the key-value cache of all slots together may take


def default_threads() -> int:
    """Half the cores, at most 4: on shared cores llama.cpp's threads wait for each other."""
    return max(1, min(4, (os.cpu_count() or 1) // 2))


class LlamaEngine(Closing):
    """A GGUF opened in llama.cpp.

    `slots` answers are written at a time; each may take `context` tokens, question included
    (default: what the model was made for, at most 2,048). `exact`: keys, values and attention in 32
    bits, as in Transformers, where llama.cpp takes 16: for comparing figures. `adapters`: GGUF
    adapters that are put on. For a model whose tokenizer composes letters and marks (NFC), texts
    are composed here, for llama.cpp does not. Close it, or use it in a `with`. Safe to call from
    several threads. Raises WorkshopError for a damaged file, for one that llama.cpp refuses (with
    llama.cpp's own reason), and where llama.cpp breaks off, at any time.
    """

    def __init__(
        self,
        gguf: str | Path,
        *,
        slots: int = 1,
        context: int | None = None,
        threads: int | None = None,
        check_tensors: bool = False,
        exact: bool = False,
        adapters: Sequence[str | Path] = (),
    ) -> None:
        self.file = read_gguf(gguf)
        wanted = context or min(self.file.context_length or _CONTEXT, _CONTEXT)
        self.context = -(-wanted // 256) * 256  # llama.cpp rounds up to this too
        room = CACHE_BYTES // max(1, _cache_bytes(self.file) * self.context)
        self.slots = max(1, min(slots, room))
        self.threads = threads or default_threads()
        self._try_template()
        started = time.perf_counter()
        try:
            self._child = Child(
                "gguf.engine:Server",
                self.file.path,
                seconds=_LOADING + self.file.size_bytes / _LEAST_SPEED,
                path=str(self.file.path),
                slots=self.slots,
                context=self.context,
                threads=self.threads,
                check_tensors=check_tensors,
                exact=exact,
                adapters=[str(adapter) for adapter in adapters],
            )
        except WorkshopError as err:
            if (reason := _reason(str(err.__cause__))) is None:
                raise
            raise WorkshopError(f"llama.cpp does not load {self.file.path}: {reason}") from err
        address = urlsplit(self._child.call("address"))
        self.address = (address.hostname or "127.0.0.1", address.port or 80)
        self.load_seconds = time.perf_counter() - started

    def _try_template(self) -> None:
        """Raise WorkshopError for a chat template that does not end: llama.cpp tries it on loading,
        and would never be done.
        """
        template = self.file.metadata.get("tokenizer.chat_template")
        with suppress(Refused):  # what it refuses is told when it is asked
            if template:
                render(template, [{"role": "user", "content": "a"}], bos_token="", eos_token="")

    @property
    def end_ids(self) -> set[int | None]:
        """The tokens that end an answer or a turn by the file's own word."""
        return {self.file.token_id(kind) for kind in ("eos", "eot", "eom")}

    def render(self, messages: Messages) -> str:
        """The prompt that the model's own chat template makes of `messages`, open for an answer."""
        if not self.file.metadata.get("tokenizer.chat_template"):
            raise WorkshopError(
                f"{self.file.path} carries no chat template: how to ask it is not known. Convert "
                "the model again from a folder whose tokenizer has one."
            )
        # like the rest of the course: a thinking model answers without thinking
        given = composed(messages) if self.file.composes else list(messages)
        body = {"messages": given, "chat_template_kwargs": {"enable_thinking": False}}
        return str(self._post("/apply-template", body, seconds=SECONDS)["prompt"])

    def tokenize(self, text: str) -> list[int]:
        """Token ids of `text`; special tokens written in it count as such; none are added."""
        if self.file.composes:
            text = unicodedata.normalize("NFC", text)
        body = {"content": text, "add_special": False, "parse_special": True}
        return [int(i) for i in self._post("/tokenize", body)["tokens"]]

    def complete(
        self,
        prompt: str | Sequence[int],
        *,
        max_new_tokens: int,
        ignore_end: bool = False,
        sampling: Sampling | None = None,
    ) -> Answer:
        """Continues `prompt`, greedily or by `sampling`, until the end token (or past it, with
        `ignore_end`, to time a fixed length).
        """
        body = {
            "prompt": prompt if isinstance(prompt, str) else list(prompt),
            "n_predict": max_new_tokens,
            "temperature": sampling.temperature if sampling else 0.0,
            "samplers": ["temperature"],
            "repeat_penalty": 1.0,
            "seed": sampling.seed if sampling else 0,
            "ignore_eos": ignore_end,
            "return_tokens": True,
            "cache_prompt": False,
        }
        found = self._post("/completion", body)
        return self._answer(found, found["content"], found["tokens"])

    def write(
        self, prompt: str, *, max_new_tokens: int | None, cache_prompt: bool = False
    ) -> Generator[str, None, Answer]:
        """As `complete`, greedily, piece by piece; None: until the end token or a full context."""
        greedy = {"temperature": 0.0, "samplers": ["temperature"], "repeat_penalty": 1.0, "seed": 0}
        longest = -1 if max_new_tokens is None else max_new_tokens
        options = {**greedy, "n_predict": longest, "cache_prompt": cache_prompt}
        return (yield from self.stream(prompt, options))

    def stream(self, prompt: str, options: Mapping[str, Any]) -> Generator[str, None, Answer]:
        """Continues `prompt` piece by piece, by `options` as llama.cpp's /completion takes them;
        the generator returns the whole answer. Closed early, it lets llama.cpp stop.
        """
        body = {**options, "prompt": prompt, "stream": True, "return_tokens": True}
        text = ""
        tokens: list[Any] = []
        found: dict[str, Any] = {}
        with self._requested("POST", "/completion", json.dumps(body)) as response:
            for line in response:
                if not line.startswith(b"data: {"):
                    if line.startswith((b"{", b"error: {")):
                        raise self._refused(json.loads(line.removeprefix(b"error: "))["error"])
                    continue
                found = json.loads(line.removeprefix(b"data: "))
                if "error" in found:
                    raise self._refused(found["error"])
                tokens += found.get("tokens") or []
                if found["content"]:
                    text += found["content"]
                    yield found["content"]
        if not found.get("stop"):
            raise self._child.died()
        return self._answer(found, text, tokens)

    def _answer(self, found: dict[str, Any], text: str, tokens: Sequence[Any]) -> Answer:
        """An answer as the last part of llama.cpp's reply describes it."""
        timings = found["timings"]
        stopped = found["stop_type"] in ("eos", "word")
        ids = tuple(int(i) for i in tokens)
        ids = ids[:-1] if stopped and ids and ids[-1] in self.end_ids else ids
        return Answer(
            text=text,
            tokens=len(ids),
            prompt_tokens=int(found["tokens_evaluated"]),
            seconds=float(timings["prompt_ms"] + timings["predicted_ms"]) / 1000,
            stopped=stopped,
            token_ids=ids,
            prompt_seconds=float(timings["prompt_ms"]) / 1000,
        )

    def next_token(self, prompt: Sequence[int]) -> list[tuple[int, float]]:
        """(token id, log-probability) of the whole vocabulary after `prompt`, likeliest first."""
        body = {
            "prompt": list(prompt),
            "n_predict": 1,
            "temperature": 0.0,
            "n_probs": len(self.file.metadata["tokenizer.ggml.tokens"]),
            # reported before this is added; it keeps the token that is drawn from being half a
            # character or the end token, with which llama.cpp reports nothing
            "logit_bias": [[self.tokenize("a")[0], 1e6]],
            "cache_prompt": True,
        }
        top = self._post("/completion", body)["completion_probabilities"][0]["top_logprobs"]
        return [(int(t["id"]), float(t["logprob"])) for t in top]

    def close(self) -> None:
        """Stops llama.cpp and gives its memory back."""
        self._child.close()

    def _post(
        self, path: str, body: dict[str, Any], seconds: float | None = None
    ) -> dict[str, Any]:
        with self._requested("POST", path, json.dumps(body), seconds) as response:
            found = json.loads(response.read())
        if "error" in found:
            raise self._refused(found["error"])
        return dict(found)

    @contextmanager
    def _requested(
        self, method: str, path: str, body: str, seconds: float | None = None
    ) -> Iterator[http.client.HTTPResponse]:
        if self._child.closed:
            raise WorkshopError(f"{self.file.path} has been closed; open it again to ask it.")
        # does not look at proxy settings
        connection = http.client.HTTPConnection(*self.address, timeout=seconds)
        try:
            connection.request(method, path, body, {"Content-Type": "application/json"})
            yield connection.getresponse()
        except TimeoutError as error:
            raise self._child.died(seconds=seconds) from error
        except (ConnectionError, http.client.HTTPException) as error:
            raise self._child.died() from error
        finally:
            connection.close()

    def _refused(self, error: dict[str, Any]) -> WorkshopError:
        if error.get("type") == "exceed_context_size_error":
            return WorkshopError(
                f"A question of {error.get('n_prompt_tokens', '?')} tokens does not fit into the "
                f"{self.context} tokens of context of {self.file.path.name}. Shorten it (or its "
                "system prompt), or open the model with more context."
            )
        return WorkshopError(
            f"llama.cpp refused a request to {self.file.path}: {error.get('message', error)}"
        )


def _cache_bytes(file: GgufFile) -> int:
    """Bytes of key-value cache per token: layers × kv heads × (key + value) × 2 bytes."""

    def figure(name: str) -> int:
        value = file.of_architecture(name) or 0
        return max(value) if isinstance(value, list) else int(value)

    heads = figure("attention.head_count") or 1
    length = figure("attention.key_length") or figure("embedding_length") // heads
    return figure("block_count") * (figure("attention.head_count_kv") or heads) * length * 2 * 2


class Server:
    """llama.cpp's server, in the child process."""

    def __init__(
        self,
        path: str,
        slots: int,
        context: int,
        threads: int,
        check_tensors: bool,
        exact: bool,
        adapters: Sequence[str],
    ) -> None:
        with from_extra("gguf", "llama.cpp (xllamacpp)"):
            import xllamacpp
        parameters = xllamacpp.CommonParams()
        parameters.model.path = path
        parameters.n_parallel = slots
        parameters.n_ctx = context * slots
        parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = threads
        parameters.n_threads_http = slots + 2
        parameters.check_tensors = check_tensors
        parameters.warmup = parameters.ui = parameters.fit_params = False
        parameters.cache_ram_mib = 0
        parameters.lora_adapters = [xllamacpp.CommonAdapterLoraInfo(one, 1.0) for one in adapters]
        if exact:
            parameters.cache_type_k = parameters.cache_type_v = xllamacpp.ggml_type.GGML_TYPE_F32
            disabled = xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
            parameters.flash_attn_type = disabled
        parameters.verbosity = 1  # errors only: the reason of a refusal is there alone
        try:
            self._server = xllamacpp.Server(parameters)
        except RuntimeError:
            time.sleep(0.05)  # a separate thread writes the log
            raise

    def address(self) -> str:
        return str(self._server.listening_address)


def _reason(log: str) -> str | None:
    """Why llama.cpp refuses to load, by its log."""
    lines = [line.split(" E ", 1)[1] for line in log.splitlines() if " E " in line]
    best = next((line for line in lines if "error" in line), lines[0] if lines else None)
    return best and best.split("error loading model: ")[-1].split("error: ")[-1].strip()
