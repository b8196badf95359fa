"""The page is there before the models, and what keeps them from being opened is said on it."""

import threading

import pytest

from pushforward.errors import ModelFileError

from .conftest import Client


@pytest.fixture
def opening():
    """A studio whose models are opened when they are let, with what then happens."""
    for name in ("starlette", "uvicorn"):
        pytest.importorskip(name, reason="the extra studio is not installed")
    from pushforward.studio.serve import Studio

    let, found = threading.Event(), []

    def opened():
        let.wait(30)
        if isinstance(found[0], Exception):
            raise found[0]
        return found[0]

    studio, ended = Studio(opened), []

    def run():
        try:
            studio.run()
        except ModelFileError as error:
            ended.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    yield studio, let, found, ended
    let.set()
    studio.stop()
    thread.join(30)


def asked(client, answers):
    answers.append(
        client.request("POST", "/api/studio", "{}", {"Content-Type": "application/json"})
    )


def test_the_page_is_there_while_the_models_are_opened(opening, folders):
    from pushforward.studio.workspace import Workspace

    studio, let, found, _ = opening
    client, answers = Client(studio.address), []
    assert client.request("GET", "/page/studio.js")[0] == 200
    assert client.request("POST", "/page/studio.js")[0] == 405
    waiting = threading.Thread(target=asked, args=(client, answers))
    waiting.start()
    assert client.request("GET", "/")[0] == 200
    assert answers == []
    found.append(Workspace([folders / "length-model"]))
    let.set()
    waiting.join(30)
    status, _, data = answers[0]
    assert status == 200
    assert b"length-model" in data


def test_a_model_that_cannot_be_opened_ends_it_with_a_word_on_the_page(opening):
    studio, let, found, ended = opening
    client, answers = Client(studio.address), []
    waiting = threading.Thread(target=asked, args=(client, answers))
    waiting.start()
    found.append(ModelFileError("model has no config.json."))
    let.set()
    waiting.join(30)
    assert answers[0][0] == 422
    assert b"no config.json" in answers[0][2]
    for _ in range(300):
        if ended:
            break
        threading.Event().wait(0.05)
    assert str(ended[0]) == "model has no config.json."
