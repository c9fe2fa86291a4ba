"""What is the same for everybody: the page's files and the OpenAPI document. Read once, at start."""

from hashlib import sha256
from html import escape
from importlib.resources import files
from pathlib import PurePath

from query_api.exchange import Answer, Ask
from query_api.wire import encode

PAGE = "index.html"
_MEDIA_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript"}
PAGE_FILES = {
    item.name: _MEDIA_TYPES[PurePath(item.name).suffix]
    for item in sorted((files("query_api") / "page").iterdir(), key=lambda item: item.name)
    if PurePath(item.name).suffix in _MEDIA_TYPES
}
"""The page's files with their media types; ``PAGE`` is at ``/``, the others are below ``/page/``."""
OTLP_GRPC_WRITTEN = "127.0.0.1:4317"
"""The address as index.html is written."""
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


class FixedDocument:
    """An answer made once."""

    def __init__(self, content: bytes, media_type: str) -> None:
        headers = {
            "ETag": f'"{sha256(content).hexdigest()[:32]}"',
            "Cache-Control": "no-cache",
            "Content-Security-Policy": CONTENT_SECURITY_POLICY,
        }
        self._answer = Answer(content, media_type, headers=headers)

    async def serve(self, ask: Ask) -> Answer:
        """The same for everybody."""
        return self._answer


def page_file(name: str, otlp_grpc: str = OTLP_GRPC_WRITTEN) -> FixedDocument:
    """One of ``PAGE_FILES``; the address agents send to is put in where the page names it."""
    text = (files("query_api") / "page" / name).read_text("utf-8")
    content = text.replace(f'content="{OTLP_GRPC_WRITTEN}"', f'content="{escape(otlp_grpc)}"')
    return FixedDocument(content.encode(), f"{PAGE_FILES[name]}; charset=utf-8")


def json_document(tree: object) -> FixedDocument:
    """A JSON document."""
    return FixedDocument(encode(tree), "application/json")
