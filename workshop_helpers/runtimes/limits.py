"""Requests to a server that may be anybody's: it gets so much time, it may send so much, and no key
is in what it sends.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

from ..core.errors import WorkshopError
from ..core.outside import hide_bytes
from ..core.within import within

LARGEST = 16 * 2**20  # bytes of an answer, or of a line of one that comes line by line
_UPLOAD = 2**20  # bytes of a request that may take longer
_KEPT = ("retry-after", "retry-after-ms", "x-should-retry")  # of an answer's headers


def limited_client(
    base: type[Any],
    seconds: float,
    silence: float,
    look: Callable[[Any], None] = lambda response: None,
    **settings: Any,
) -> Any:
    """A client of the class `base` (httpx's, or one derived from it), made with `settings`.

    A request gets `seconds` in all. One that sends a file, and one whose answer comes line by line,
    is given up after `silence`: so many seconds without a whole line. Then httpx's ReadTimeout is
    raised. `look` sees each whole answer first. Requests raise WorkshopError for an answer that is
    too long or packed.
    """
    # httpx2, or httpx, of which older releases of openai are made
    family = next(one for one in base.__mro__ if one.__module__.split(".")[0].startswith("httpx"))
    httpx = import_module(family.__module__.split(".")[0])

    class Parts(httpx.SyncByteStream):  # type: ignore[name-defined]
        """The parts of an answer as they come, or as lines; keys are taken out of each."""

        def __init__(self, request: Any, stream: Any, patience: float, lines: bool) -> None:
            self._request, self._stream, self._lines = request, stream, lines
            self._patience, self._until = patience, time.monotonic() + patience

        def __iter__(self) -> Iterator[bytes]:
            kept: list[bytes] = []
            size = 0
            for part in self._stream:
                if time.monotonic() > self._until:
                    raise httpx.ReadTimeout("the answer does not end", request=self._request)
                size += len(part)
                kept.append(part)
                if self._lines and b"\n" in part:
                    whole, _, rest = b"".join(kept).rpartition(b"\n")
                    yield hide_bytes(whole + b"\n")
                    kept, size = [rest], len(rest)
                    self._until = time.monotonic() + self._patience
                if size > LARGEST:
                    raise WorkshopError(f"{self._request.url.host} sent more than 16 MB at once.")
            yield hide_bytes(b"".join(kept))

        def close(self) -> None:
            self._stream.close()

    class Limited(base):
        """The client with these limits."""

        def send(self, request: Any, *, stream: bool = False, **more: Any) -> Any:
            request.headers["Accept-Encoding"] = "identity"  # a packed answer has no known size
            uploads = int(request.headers.get("content-length") or 0) > _UPLOAD
            patience = silence if stream or uploads else seconds
            began = time.monotonic()

            def send() -> Any:
                return super(Limited, self).send(request, stream=True, **more)

            try:
                response = send() if uploads else within(patience, send)
            except TimeoutError as error:
                raise httpx.ReadTimeout(str(error), request=request) from None
            spent = 0.0 if stream or uploads else time.monotonic() - began
            response.stream = Parts(request, response.stream, patience - spent, stream)
            if response.headers.get("content-encoding", "identity") != "identity":
                response.close()
                raise WorkshopError(f"{request.url.host} sends packed answers, unasked.")
            if stream and response.is_success:
                return response
            try:
                content = b"".join(response.iter_raw())
            finally:
                response.close()
            headers = {name: response.headers[name] for name in _KEPT if name in response.headers}
            # Anew: what else the answer's head says is never looked at, shown or logged.
            whole = httpx.Response(
                response.status_code, headers=headers, content=content, request=request
            )
            look(whole)
            return whole

    return Limited(**settings)
