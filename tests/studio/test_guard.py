"""Nobody but the page of this studio is answered."""

import json

import pytest

QUESTION = {"Content-Type": "application/json"}


def status(client, headers=None, path="/api/studio", method="POST", cookie=True):
    held = client.cookie
    if not cookie:
        del client.cookie
    try:
        return client.request(method, path, json.dumps({}), QUESTION | (headers or {}))[0]
    finally:
        client.cookie = held


def test_the_page_itself_is_answered(client):
    own = f"http://{client.address.netloc}"
    assert status(client) == 200
    assert status(client, {"Origin": own, "Sec-Fetch-Site": "same-origin"}) == 200
    port = client.address.port
    assert status(client, {"Host": f"localhost:{port}"}) == 200


@pytest.mark.parametrize(
    ("headers", "refused"),
    [
        ({"Host": "evil.example"}, 421),
        ({"Host": "127.0.0.1:1"}, 421),
        ({"Host": ""}, 421),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"X": "x" * 20_000}, 431),
    ],
)
def test_other_hosts_and_other_origins_are_refused(client, headers, refused):
    assert status(client, headers) == refused


def test_nothing_is_answered_without_the_token(client):
    for path, method in (
        ("/", "GET"), ("/page/studio.js", "GET"), ("/api/studio", "POST"),
        ("/download/samples?model=glow&as=png", "GET"), ("/upload?model=glow&name=a.png", "POST"),
        ("/?token=", "GET"), ("/?token=wrong", "GET"), ("/page/studio.js?token=wrong", "GET"),
    ):  # fmt: skip
        assert status(client, path=path, method=method, cookie=False) == 403, path
    wrong = client.cookie[:-2] + "xx"
    assert status(client, {"Cookie": wrong}, cookie=False) == 403


def test_a_question_that_a_form_of_another_page_could_send_is_refused(client):
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
        assert client.request("POST", "/api/studio", "{}", {"Content-Type": kind})[0] == 415


def test_every_answer_forbids_what_is_from_elsewhere(client):
    for path in ("/", "/page/studio.css", "/page/nothing.js", "/nothing"):
        _, headers, _ = client.request("GET", path)
        assert "default-src 'none'" in headers["content-security-policy"], path
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"


def test_the_cookie_is_for_this_page_alone(client, studio):
    from urllib.parse import urlsplit

    address = urlsplit(studio.address)
    _, headers, _ = client.request("GET", f"/?{address.query}")
    cookie = headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie


def test_the_files_of_the_page_name_nobody_else():
    import re
    from pathlib import Path

    import pushforward

    for path in (Path(pushforward.__file__).parent / "studio" / "page").iterdir():
        text = path.read_text().replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"https?://|//[a-z0-9-]+\.[a-z]|innerHTML|eval\(", text), path
