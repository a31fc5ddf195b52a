"""Full-vocabulary log-probabilities out of llama.cpp, for perplexity and KL divergence.

No Python package hands these out for the tokens of a prompt, but the library inside `xllamacpp`
exports llama.cpp's C interface on Linux and macOS, and `ctypes` calls it, in a child process. Where
it exports nothing (Windows), llama.cpp's server is asked for one position after the other: the same
figures, far slower.
"""

from __future__ import annotations

import ctypes
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.child import Child
from ..core.errors import Closing, WorkshopError, from_extra
from .engine import LlamaEngine, default_threads
from .header import read_gguf

if TYPE_CHECKING:
    import numpy as np

_BATCH = 256  # positions whose logits are held at a time (× vocabulary × 4 bytes)


class Logits(Closing):
    """A GGUF opened to be read, not to be talked to."""

    method: str

    @abstractmethod
    def log_probabilities(self, ids: Sequence[int], start: int = 1) -> np.ndarray:
        """Log-softmax [len(ids) - start, vocabulary] of the predictions for ids[start:], each from
        all before it.
        """


def open_logits(gguf: str | Path, *, context: int = 2048, threads: int | None = None) -> Logits:
    """Open `gguf` through the C interface, or through the server where there is none."""
    kind = ServerLogits if _library() is None else NativeLogits
    return kind(gguf, context=context, threads=threads)


class ServerLogits(Logits):
    """One request per position, with the vocabulary's probabilities as JSON; needs only xllamacpp.

    `exact`, `adapters`: see `LlamaEngine`.
    """

    method = "llama.cpp server, one position a request"

    def __init__(
        self,
        gguf: str | Path,
        *,
        context: int = 2048,
        threads: int | None = None,
        exact: bool = False,
        adapters: Sequence[str | Path] = (),
    ) -> None:
        how: dict[str, Any] = {"threads": threads, "exact": exact, "adapters": adapters}
        self._engine = LlamaEngine(gguf, slots=1, context=context, **how)

    def log_probabilities(self, ids: Sequence[int], start: int = 1) -> np.ndarray:
        import numpy as np

        vocabulary = len(self._engine.file.metadata["tokenizer.ggml.tokens"])
        out = np.full((len(ids) - start, vocabulary), -np.inf, dtype=np.float32)
        for row in range(len(out)):
            for token, value in self._engine.next_token(ids[: start + row]):
                out[row, token] = value
        return out

    def close(self) -> None:
        self._engine.close()


class NativeLogits(Logits):
    """llama.cpp's C interface: whole prompts at a time."""

    method = "llama.cpp, C interface"

    def __init__(
        self, gguf: str | Path, *, context: int = 2048, threads: int | None = None
    ) -> None:
        path, self._length = read_gguf(gguf).path, context
        self._child = Child(
            "gguf.logits:Reader",
            path,
            path=str(path),
            context=context,
            threads=threads or default_threads(),
        )

    def log_probabilities(self, ids: Sequence[int], start: int = 1) -> np.ndarray:
        if not 1 <= start < len(ids):
            raise ValueError(f"start must lie within 1 and {len(ids) - 1}, and is {start}")
        if len(ids) > self._length:
            raise WorkshopError(
                f"A text of {len(ids)} tokens does not fit into a context of {self._length}."
            )
        values: np.ndarray = self._child.call(
            "log_probabilities", ids=[int(one) for one in ids], start=start
        )
        return values

    def close(self) -> None:
        self._child.close()


class Reader:
    """What `NativeLogits` asks, in the child process."""

    def __init__(self, path: str, context: int, threads: int) -> None:
        library = _library()
        if library is None:
            raise WorkshopError("This build of xllamacpp exports no C interface.")
        self._c = library
        with _overheard(library) as said:
            self._model = library.llama_model_load_from_file(
                str(path).encode(), library.llama_model_default_params()
            )
            if not self._model:
                raise WorkshopError(f"llama.cpp does not load {path}: {' '.join(said)}")
            parameters = library.llama_context_default_params()
            numbers = _first_numbers(parameters)
            numbers[0], numbers[1], numbers[2] = context, _BATCH, _BATCH
            self._context = library.llama_init_from_model(self._model, parameters)
            if not self._context or library.llama_n_ctx(self._context) < context:
                raise WorkshopError(f"llama.cpp has no room to run {path}: {' '.join(said)}")
            library.llama_set_n_threads(self._context, threads, threads)
        self._vocabulary = library.llama_vocab_n_tokens(library.llama_model_get_vocab(self._model))

    def log_probabilities(self, ids: Sequence[int], start: int) -> np.ndarray:
        import numpy as np

        self._c.llama_memory_clear(self._c.llama_get_memory(self._context), True)
        found = []
        with _overheard(self._c) as said:
            for first in range(0, len(ids) - 1, _BATCH):
                piece = ids[first:-1][:_BATCH]  # nothing follows the last token: it is not read
                wanted = self._decode(piece, first, start - 1, said)
                if wanted:
                    values = np.ctypeslib.as_array(
                        self._c.llama_get_logits(self._context), (wanted, self._vocabulary)
                    )
                    found.append(_log_softmax(values))
        return np.concatenate(found)

    def _decode(self, piece: Sequence[int], first: int, start: int, said: list[str]) -> int:
        """Run one batch; how many of its positions (those from `start` on) have logits."""
        batch = self._c.llama_batch_init(len(piece), 0, 1)
        try:
            batch.n_tokens = len(piece)
            for i, token in enumerate(piece):
                batch.token[i], batch.pos[i] = token, first + i
                batch.n_seq_id[i], batch.seq_id[i][0] = 1, 0
                batch.logits[i] = first + i >= start
            if self._c.llama_decode(self._context, batch) != 0:
                raise WorkshopError(
                    f"llama.cpp could not read {len(piece)} tokens: {' '.join(said)}"
                )
        finally:
            self._c.llama_batch_free(batch)
        return len(piece) - max(0, min(len(piece), start - first))


def _log_softmax(values: np.ndarray) -> np.ndarray:
    import numpy as np

    shifted = values - values.max(axis=-1, keepdims=True)
    return (shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))).astype(np.float32)


_Pointer, _Int = ctypes.c_void_p, ctypes.c_int32
_Ints = ctypes.POINTER(_Int)


class _Parameters(ctypes.Structure):
    """Room for llama_model_params or llama_context_params, whose fields change with releases.

    Both are far over 16 bytes, so every platform passes and returns them in memory, where room to
    spare does no harm: llama.cpp fills in the defaults, and gets them back.
    """

    _fields_ = [("room", ctypes.c_uint64 * 128)]


class _Batch(ctypes.Structure):
    """llama_batch"""

    _fields_ = [
        ("n_tokens", _Int), ("token", _Ints), ("embd", _Pointer), ("pos", _Ints),
        ("n_seq_id", _Ints), ("seq_id", ctypes.POINTER(_Ints)),
        ("logits", ctypes.POINTER(ctypes.c_int8)),
    ]  # fmt: skip


# The C interface (include/llama.h): result and arguments of each function.
_FUNCTIONS: dict[str, tuple[Any, list[Any]]] = {
    "llama_model_default_params": (_Parameters, []),
    "llama_context_default_params": (_Parameters, []),
    "llama_model_load_from_file": (_Pointer, [ctypes.c_char_p, _Parameters]),
    "llama_init_from_model": (_Pointer, [_Pointer, _Parameters]),
    "llama_batch_init": (_Batch, [_Int, _Int, _Int]),
    "llama_batch_free": (None, [_Batch]),
    "llama_decode": (_Int, [_Pointer, _Batch]),
    "llama_get_logits": (ctypes.POINTER(ctypes.c_float), [_Pointer]),
    "llama_model_get_vocab": (_Pointer, [_Pointer]),
    "llama_vocab_n_tokens": (_Int, [_Pointer]),
    "llama_get_memory": (_Pointer, [_Pointer]),
    "llama_memory_clear": (None, [_Pointer, ctypes.c_bool]),
    "llama_n_ctx": (ctypes.c_uint32, [_Pointer]),
    "llama_set_n_threads": (None, [_Pointer, _Int, _Int]),
    "llama_backend_init": (None, []),
    "llama_log_set": (None, [_Pointer, _Pointer]),
    "llama_log_get": (None, [ctypes.POINTER(_Pointer), ctypes.POINTER(_Pointer)]),
}


@lru_cache(maxsize=1)
def _library() -> Any:
    """xllamacpp's library, its functions typed; None where it exports none or another layout."""
    with from_extra("gguf", "llama.cpp (xllamacpp)"):
        from xllamacpp import xllamacpp
    try:
        library = ctypes.CDLL(xllamacpp.__file__)
        for name, (result, arguments) in _FUNCTIONS.items():
            function = getattr(library, name)
            function.restype, function.argtypes = result, arguments
    except (OSError, AttributeError):
        return None
    library.llama_backend_init()
    return library if _layout_fits(library) else None


def _first_numbers(parameters: _Parameters) -> Any:
    """The first numbers of llama_context_params, to read and write: n_ctx, n_batch, n_ubatch."""
    return ctypes.cast(ctypes.pointer(parameters), ctypes.POINTER(ctypes.c_uint32))


def _layout_fits(library: Any) -> bool:
    """Whether the two structures whose fields we touch look as they did: by their defaults."""
    numbers = _first_numbers(library.llama_context_default_params())
    batch = library.llama_batch_init(4, 0, 1)
    pointers = (batch.token, batch.pos, batch.n_seq_id, batch.seq_id, batch.logits)
    fits = batch.n_tokens == 0 and not batch.embd and all(pointers) and bool(batch.seq_id[3])
    library.llama_batch_free(batch)
    return fits and (numbers[0], numbers[1], numbers[2]) == (512, 2048, 512)


_Callback = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)


@contextmanager
def _overheard(library: Any) -> Iterator[list[str]]:
    """Catch llama.cpp's warnings and errors, and put the logger back that was there."""
    said: list[str] = []

    def note(level: int, text: bytes, _: object) -> None:
        if level >= 3:  # GGML_LOG_LEVEL_WARN
            said.append(text.decode("utf-8", errors="replace").strip())

    callback = _Callback(note)  # must outlive the calls
    before = ctypes.c_void_p(), ctypes.c_void_p()
    library.llama_log_get(ctypes.byref(before[0]), ctypes.byref(before[1]))
    library.llama_log_set(callback, None)
    try:
        yield said
    finally:
        library.llama_log_set(*before)
