"""The page of the API: complete, without scripts, nothing from elsewhere, nothing that could run."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from starlette.testclient import TestClient

from serving.api_page import POLICY, render_api

VOID = {"meta", "br"}


class Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.links: list[str] = []
        self.ids: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        if tag not in VOID:
            self.open.append(tag)
        self.links += [value or "" for name, value in attrs if name in {"href", "src"}]
        self.ids |= {value or "" for name, value in attrs if name == "id"}

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    assert reader.open == []
    return reader


def test_the_page_needs_nothing_from_elsewhere_and_runs_nothing(client: TestClient) -> None:
    answer = client.get("/docs")
    assert answer.status_code == 200
    assert answer.headers["content-security-policy"] == POLICY
    assert "unsafe" not in POLICY
    found = read(answer.text)
    assert not found.tags & {"script", "link", "img", "iframe", "form"}
    assert {link for link in found.links if not link.startswith("#")} == {"/openapi.json"}
    assert {link[1:] for link in found.links if link.startswith("#")} <= found.ids


def test_the_page_tells_every_route_with_its_scope_and_every_field_of_an_answer(client: TestClient) -> None:
    page, document = client.get("/docs").text, client.get("/openapi.json").json()
    for path, operations in document["paths"].items():
        assert f"<code>{path}</code>" in page
        for operation in operations.values():
            assert operation["x-summary-zh"] in page
            assert operation["x-scope"] in page if operation.get("security") else "x-scope" not in operation
    for field in document["components"]["schemas"]["ScoreRow"]["properties"]:
        assert f"<code>rows[].{field}</code>" in page


def test_every_field_is_described_and_every_body_has_an_example(client: TestClient) -> None:
    schemas = client.get("/openapi.json").json()["components"]["schemas"]
    undescribed = [
        f"{name}.{field}"
        for name, schema in schemas.items()
        for field, stated in schema.get("properties", {}).items()
        if not stated.get("description")
    ]
    assert undescribed == []
    answers = ("LeadRequest", "LeadAnswer", "AccountRequest", "AccountAnswer", "ModelList", "ModelCard")
    answers += ("StoredPrediction", "Live", "Ready")
    assert [name for name in (*answers, "ProblemAnswer") if not schemas[name].get("examples")] == []


def test_every_error_is_declared_as_a_problem_and_says_when_to_come_again(client: TestClient) -> None:
    for path, operations in client.get("/openapi.json").json()["paths"].items():
        for operation in operations.values():
            for status, answer in operation["responses"].items():
                if status.startswith(("4", "5")) and not (path == "/health/ready" and status == "503"):
                    assert list(answer["content"]) == ["application/problem+json"], (path, status)
                if status in {"429", "503"} and path.startswith("/v1/"):
                    assert "Retry-After" in answer["headers"], (path, status)


@pytest.mark.parametrize("text", ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "`<b>`"])
def test_text_of_the_document_stays_text(text: str) -> None:
    operation = {"summary": text, "description": text, "responses": {text: {"description": text}}}
    page = render_api({"info": {"title": text}, "paths": {f"/{text}": {"get": operation}}})
    assert not read(page).tags & {"script", "img", "b"}
