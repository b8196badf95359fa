"""Who may ask: the page's own requests, to this host, with the token of the address."""

import hmac
from collections.abc import Awaitable, Callable
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qs

__all__ = ["HEADERS", "Guard"]

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]

_MOST_HEADERS = 16_384  # bytes of names and values together

#: Headers of every answer: nothing from elsewhere, in no frame, kept nowhere.
HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}


class Guard:
    """Refuses, before anything is read, what no page of this studio would send.

    * A host that is none of ours, by which a name of somebody else's that points here (DNS
      rebinding) would reach the studio.
    * A request of another origin, which a page of somebody else's would make (CSRF).
    * A request without the token. The address that the command prints has it; the page then has
      a cookie, which scripts cannot read and other sites cannot send.

    Args:
        app: what answers the rest.
        hosts: names with ports that this studio is reached by; None for any, where it is open to
            another interface, whose names are not known: the token keeps others out.
        token: of the address.
        cookie: the name of the cookie.
    """

    def __init__(self, app: Any, hosts: set[str] | None, token: str, cookie: str) -> None:
        self.app, self.hosts, self.token, self.cookie = app, hosts, token, cookie

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or have it answered."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":
            return  # there are no web sockets here: the server ends them
        refusal = self._refusal(scope)
        if refusal is not None:
            await _refuse(send, *refusal)
            return
        new = scope["method"] == "GET" and self._in_address(scope)

        async def sent(message: Any) -> None:
            if message["type"] == "http.response.start":
                headers = [(k.encode(), v.encode()) for k, v in HEADERS.items()]
                own = [(k, v) for k, v in message["headers"] if k.lower() != b"cache-control"]
                if new:
                    value = f"{self.cookie}={self.token}; HttpOnly; SameSite=Strict; Path=/"
                    headers.append((b"set-cookie", value.encode()))
                message = {**message, "headers": [*own, *headers]}
            await send(message)

        await self.app(scope, receive, sent)

    def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        """Status and text for a request that is refused."""
        if sum(len(k) + len(v) for k, v in scope["headers"]) > _MOST_HEADERS:
            return 431, "The headers are too long."
        headers = {k.decode("latin-1").lower(): v.decode("latin-1") for k, v in scope["headers"]}
        host = headers.get("host", "").lower()
        if self.hosts is not None and host not in self.hosts:
            return 421, f"This is no address of the studio. Expected {sorted(self.hosts)[0]}."
        other = headers.get("origin", f"http://{host}").lower() != f"http://{host}"
        linked = scope["method"] == "GET" and scope["path"] == "/"  # from a page with the address
        from_site = headers.get("sec-fetch-site", "none") not in ("same-origin", "none")
        if other or (from_site and not linked):
            return 403, "Requests of other pages are refused."
        if not (self._in_address(scope) or self._in_cookie(headers.get("cookie", ""))):
            return 403, "Open the address that the command printed: it has a token."
        return None

    def _in_address(self, scope: Scope) -> bool:
        if scope["path"] != "/":
            return False
        given = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])
        return self._is_token(given[0])

    def _in_cookie(self, text: str) -> bool:
        try:
            found = SimpleCookie(text).get(self.cookie)
        except CookieError:
            return False
        return found is not None and self._is_token(found.value)

    def _is_token(self, given: str) -> bool:
        return hmac.compare_digest(given.encode(errors="replace"), self.token.encode())


async def _refuse(send: Send, status: int, text: str) -> None:
    body = text.encode()
    headers = {
        "content-type": "text/plain; charset=utf-8",
        "content-length": str(len(body)),
        **HEADERS,
    }
    start = [(k.encode(), v.encode()) for k, v in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": start})
    await send({"type": "http.response.body", "body": body})
