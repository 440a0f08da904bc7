"""One request as it comes in from a client, and whether the container may be asked at all."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import unquote
from uuid import uuid4

from sm_emulate.gateway import readers
from sm_emulate.gateway.answers import ErrorAnswer, body_too_long, refusal, unknown_variant
from sm_emulate.spec import async_inference as async_spec
from sm_emulate.spec import bidirectional as bidirectional_spec
from sm_emulate.spec import inference_component as components
from sm_emulate.spec import invocation as spec
from sm_emulate.spec.containers import NOT_DIRECT
from sm_emulate.spec.multi_model import MODELS_PATH, TARGET_MODEL_MISSING

if TYPE_CHECKING:
    from sm_emulate.gateway.front import EndpointFront
    from sm_emulate.gateway.route import Router

MAX_HEAD_BYTES = 64 * 1024
"""Longest request head, and longest answer head; more is taken for an attack or a fault."""


def _lines(headers: tuple[spec.RequestHeader, ...]) -> dict[bytes, tuple[spec.RequestHeader, bytes]]:
    """Give, for each header that an operation supports, how its line to the container starts."""
    return {
        header.name.lower().encode(): (
            header,
            b"Accept: " if header.member == "accept" else header.name.encode() + b": ",
        )
        for header in headers
    }


_SUPPORTED = _lines(spec.REQUEST_HEADERS)
_SUPPORTED_BY_STREAMS = _lines(spec.STREAM_REQUEST_HEADERS)
_MISPLACED = {name.lower().encode(): wording for name, wording in spec.NOT_FOR_ONE_MODEL.items()}
_NOT_MULTI_MODEL = spec.NOT_FOR_ONE_MODEL[spec.TARGET_MODEL_HEADER]
_TARGET_MODEL = spec.TARGET_MODEL_HEADER.lower().encode()
_COMPONENT = components.HEADER.lower().encode()
_COMPONENT_PART = components.PATH_PART.encode()
_TARGET_CONTAINER = b"x-amzn-sagemaker-target-container-hostname"
_MODELS = MODELS_PATH.encode()
_ASYNC_SUFFIX = async_spec.PATH.partition("{endpoint_name}")[2].encode()
_PREFIX, _, _SUFFIX = (part.encode() for part in spec.RUNTIME_PATH.partition("{endpoint_name}"))
_STREAM_SUFFIX = spec.STREAM_PATH.rpartition("}")[2].encode()
_BIDIRECTIONAL_SUFFIX = bidirectional_spec.PATH.rpartition("}")[2].encode()
_OPENAI = spec.OPENAI_PATH.rpartition("}")[2].encode() + b"/v1/"
_OWN = frozenset({readers.OWN_PREFIX, b"/"})
_SESSION_ID = re.compile(spec.SESSION_ID.encode())


class Incoming:
    """A request under way: filled by the parser, read by the exchange."""

    __slots__ = (
        "asynchronous",
        "body",
        "broken",
        "chunked",
        "complete",
        "component",
        "container",
        "container_path",
        "endpoint",
        "events",
        "expects",
        "flushes",
        "forward",
        "head_bytes",
        "head_done",
        "keep_alive",
        "length",
        "method",
        "misplaced",
        "others",
        "own",
        "refused",
        "session",
        "size",
        "supported",
        "target",
        "target_model",
        "too_long",
        "variant",
        "version_10",
    )

    def __init__(self) -> None:
        self.target = b""
        self.method = b""
        self.container: bytes | None = None
        self.container_path = b""
        self.endpoint: str | None = None
        self.forward: list[bytes] = []
        self.length: int | None = None
        self.chunked = False
        self.events = False
        self.flushes = False
        self.expects = False
        self.keep_alive = False
        self.version_10 = False
        self.head_bytes = 0
        self.head_done = False
        self.complete = False
        self.broken = False
        self.supported: dict[bytes, tuple[spec.RequestHeader, bytes]] | None = None
        self.session: bytes | None = None
        self.variant: bytes | None = None
        self.component: bytes | None = None
        self.own = False
        self.misplaced: str | None = None
        self.target_model: bytes | None = None
        self.too_long: ErrorAnswer | None = None
        self.refused: ErrorAnswer | None = None
        self.asynchronous = False
        self.others: dict[str, str] | None = None
        self.body: list[bytes] = []
        self.size = 0

    def add_header(self, name: bytes, value: bytes) -> None:
        """Take one header: keep the line if the API supports it, strip it otherwise."""
        self.head_bytes += len(name) + len(value) + len(b": \r\n")
        lowered = name.lower()
        if self.supported is None:
            # the path is known: it stands before the first header
            path = self.target.partition(b"?")[0]
            if path.endswith(_STREAM_SUFFIX):
                self.supported = _SUPPORTED_BY_STREAMS
            else:
                self.supported = readers.HEADERS if path[:3] in _OWN else _SUPPORTED
        supported = self.supported.get(lowered)
        if supported is not None:
            header, line_start = supported
            if len(value) > header.longest and self.too_long is None:
                self.too_long = refusal(
                    "ValidationError",
                    spec.MEMBER_TOO_LONG.format(member=header.member, longest=header.longest),
                )
            self.forward.append(line_start + value + b"\r\n")
            if lowered == b"x-amzn-sagemaker-target-variant":
                self.variant = value
            elif lowered == b"x-amzn-sagemaker-session-id":
                self.session = value
            elif lowered == _COMPONENT:
                self.component = value
            elif lowered == _TARGET_MODEL:
                self.target_model = value
            elif lowered == _TARGET_CONTAINER:
                self.container = value
            elif lowered in _MISPLACED:
                self.misplaced = _MISPLACED[lowered]
        elif lowered == b"content-length":
            self.length = int(value)
        elif lowered == b"transfer-encoding":
            self.chunked = True
        elif lowered == b"expect":
            self.expects = value.lower() == b"100-continue"
        elif lowered.startswith(b"x-amzn-sagemaker-"):
            # InvokeEndpointAsync has parameters of its own
            if self.others is None:
                self.others = {}
            self.others[lowered.decode("latin-1")] = value.decode("latin-1")

    def settle(self, front: EndpointFront, router: Router) -> None:
        """Decide, once the head is whole, whether any container may be asked, or why not."""
        self.head_done = True
        self.refused = self._refusal(front, router)
        if front.default_accept is not None and not any(
            line.startswith(b"Accept: ") for line in self.forward
        ):
            self.forward.append(b"Accept: " + front.default_accept.encode("latin-1") + b"\r\n")

    def outgrow(self, front: EndpointFront) -> ErrorAnswer:
        """Refuse a body that turned out longer than the limit."""
        self.refused = body_too_long(front)
        self.body.clear()
        return self.refused

    def take_body(self) -> bytes:
        """Give what is held of the body, and hold it no longer."""
        held = self.body[0] if len(self.body) == 1 else b"".join(self.body)
        self.body.clear()
        return held

    @property
    def async_headers(self) -> dict[str, str]:
        """The headers that are parameters of InvokeEndpointAsync, by their names in lower case."""
        found = dict(self.others or {})
        for line in self.forward:
            name, _, value = line.decode("latin-1").partition(":")
            found[name.lower()] = value.strip()
        return found

    @property
    def unremarkable(self) -> bool:
        """Whether it is whole, right, and asks for nothing but an answer, by whichever instance."""
        return (
            self.refused is None
            and self.complete
            and self.invokes
            and self.keep_alive
            and self.size == self.length
            and not (self.chunked or self.expects or self.version_10 or self.flushes or self.asynchronous)
            and self.variant is self.session is self.target_model is self.component is None
        )

    @property
    def path(self) -> str:
        return self.target.decode("latin-1")

    @property
    def invokes(self) -> bool:
        return self.container_path == b"/invocations"

    def _names_a_session(self, value: bytes) -> bool:
        if value == spec.NEW_SESSION.encode():
            return not self.events  # a stream can use a session, but not create one
        return _SESSION_ID.fullmatch(value) is not None

    def _refusal(self, front: EndpointFront, router: Router) -> ErrorAnswer | None:
        path = self.target.partition(b"?")[0]
        if (path == b"/ping" and self.method == b"GET") or (
            path == b"/invocations" and self.method == b"POST"
        ):
            self.container_path = path
        elif self.method == b"POST" and path.startswith(_PREFIX) and path.endswith(_SUFFIX):
            self.container_path = b"/invocations"
            self.endpoint = unquote(path[len(_PREFIX) : -len(_SUFFIX)].decode("latin-1"))
        elif self.method == b"POST" and path.startswith(_PREFIX) and path.endswith(_STREAM_SUFFIX):
            self.container_path = b"/invocations"
            self.endpoint = unquote(path[len(_PREFIX) : -len(_STREAM_SUFFIX)].decode("latin-1"))
            self.events = self.flushes = True
        elif path.startswith(_PREFIX) and _OPENAI in path:
            name, _, rest = path[len(_PREFIX) :].partition(_OPENAI)
            name, _, component = name.partition(_COMPONENT_PART)
            if self.component is not None:
                # on this path the header is refused, whatever it says
                self.misplaced = components.NOT_ALLOWED
            self.component = unquote(component.decode("latin-1")).encode() or None
            self.container_path = b"/v1/" + rest + self.target[len(path) :]
            self.endpoint = unquote(name.decode("latin-1"))
            self.flushes = True
        elif self.method == b"POST" and path.startswith(_PREFIX) and path.endswith(_ASYNC_SUFFIX):
            self.asynchronous = True
            self.endpoint = unquote(path[len(_PREFIX) : -len(_ASYNC_SUFFIX)].decode("latin-1"))
        elif path.startswith(_PREFIX) and path.endswith(_BIDIRECTIONAL_SUFFIX):
            return refusal("InputValidationError", bidirectional_spec.HTTP2_ONLY)
        elif self.method == b"GET" and (
            path.startswith(readers.OWN_PREFIX) or (path == b"/" and readers.wants_a_page(self.forward))
        ):
            self.own = True
            return None
        elif front.multi_model and (path == _MODELS or path.startswith(_MODELS + b"/")):
            # the container's own paths, for who tests it by hand; SageMaker keeps them to itself
            self.container_path = self.target
        else:
            return refusal(
                "UnknownOperationException",
                f"{self.method.decode('latin-1')} {path.decode('latin-1')} is not served here. Served are "
                f"{_served(front, router)}.",
            )
        if self.endpoint is not None and self.endpoint != front.endpoint_name:
            return refusal(
                "ValidationError",
                spec.ENDPOINT_NOT_FOUND.format(endpoint=self.endpoint, account=front.account),
            )
        if self.asynchronous != front.asynchronous and path != b"/ping":
            words = async_spec.ASYNC_ONLY if front.asynchronous else async_spec.NOT_ASYNC
            return refusal("ValidationError", words.format(endpoint=front.endpoint_name))
        if self.too_long is not None:
            return self.too_long
        if self.asynchronous:
            if self.length is not None and self.length > async_spec.MAX_INLINE_BYTES:
                return refusal("ValidationError", async_spec.INLINE_TOO_LONG)
            return None
        if self.variant is not None and not router.knows(self.variant):
            return unknown_variant(front, self.variant)
        if self.session is not None and not self._names_a_session(self.session):
            return refusal(
                "ValidationError",
                spec.PATTERN_BROKEN.format(
                    value=self.session.decode("latin-1"),
                    member="sessionId",
                    pattern=f"^{spec.SESSION_ID}$"
                    if self.events
                    else f"^({spec.NEW_SESSION})$|^{spec.SESSION_ID}$",
                ),
            )
        if self.target_model is not None and not front.multi_model:
            return refusal("ValidationError", _NOT_MULTI_MODEL.format(endpoint=front.endpoint_name))
        if not self.target_model and front.multi_model and self.invokes:
            return refusal("ValidationError", TARGET_MODEL_MISSING.format(request=uuid4()))
        if self.container is not None and not router.direct:
            return refusal("ValidationError", NOT_DIRECT.format(endpoint=front.endpoint_name))
        if self.misplaced is not None:
            return refusal("ValidationError", self.misplaced.format(endpoint=front.endpoint_name))
        if self.component is not None or router.has_components:
            wrong = router.refuses_component(self.component)
            if wrong is not None:
                return wrong
        if self.length is not None and self.length > front.max_body_bytes:
            return body_too_long(front)
        return None


def _served(front: EndpointFront, router: Router) -> str:
    if front.asynchronous:
        return f"GET /ping and POST {async_spec.PATH.format(endpoint_name=front.endpoint_name)}"
    component = f"{components.PATH_PART}COMPONENT" if router.has_components else ""
    return (
        f"GET /ping, POST /invocations, POST /endpoints/{front.endpoint_name}/invocations, "
        f"POST /endpoints/{front.endpoint_name}/invocations-response-stream and "
        f"/endpoints/{front.endpoint_name}{component}/openai/v1/..."
    )
