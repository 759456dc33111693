"""Every route states its scope, its answer and its errors, and every error has one form."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.testclient import TestClient

from crm.config import Config, ServingSection
from serving import (
    bridge_schemas,
    forecast_schemas,
    hygiene_schemas,
    ledger_schemas,
    model_schemas,
    next_product_schemas,
    parts_schemas,
    schemas,
    service_schemas,
)
from serving.app import create_app
from serving.auth import PUBLIC, RouteWithoutScope, declared_scope, require_scopes
from serving.roles import ROLE_SCOPES, Role, Scope
from serving.score_tasks import scored_tasks

As = Callable[[str], dict[str, str]]
PREDICTION = "0" * 32
SCORED = [task.entity for task in scored_tasks().values()]
# Every route that a client can call, with a request that it understands.
CALLS: dict[str, tuple[str, str, dict[str, object] | None]] = {
    "/health/live": ("GET", "/health/live", None),
    "/health/ready": ("GET", "/health/ready", None),
    "/metrics": ("GET", "/metrics", None),
    **{f"/v1/{entity}/score": ("POST", f"/v1/{entity}/score", {"ids": ["L0"]}) for entity in SCORED},
    "/v1/accounts/next-product": ("POST", "/v1/accounts/next-product", {"ids": ["C1"]}),
    "/v1/forecasts": ("GET", "/v1/forecasts?measure=bookings&months=3", None),
    "/v1/forecasts/accuracy": ("GET", "/v1/forecasts/accuracy", None),
    # Calling is a POST to the same address: tests/serving/test_overrides.py.
    "/v1/forecasts/overrides": ("GET", "/v1/forecasts/overrides", None),
    "/v1/forecasts/bridge": ("GET", "/v1/forecasts/bridge", None),
    "/v1/forecasts/components": ("GET", "/v1/forecasts/components", None),
    "/v1/forecasts/hygiene": ("GET", "/v1/forecasts/hygiene", None),
    "/v1/forecasts/scenarios": ("POST", "/v1/forecasts/scenarios", {"opportunity_id": "none"}),
    "/v1/models": ("GET", "/v1/models", None),
    "/v1/models/{task}": ("GET", "/v1/models/lead_score", None),
    "/v1/predictions/{prediction_id}": ("GET", f"/v1/predictions/{PREDICTION}", None),
}
# What is asked for there is not on this company's record.
NOT_THERE = {"/v1/predictions/{prediction_id}", "/v1/forecasts/scenarios"}
# The whole company is shown to whoever sees all of it.
OF_ALL = {"/v1/forecasts/bridge"}
MODULES = (
    schemas,
    model_schemas,
    next_product_schemas,
    forecast_schemas,
    ledger_schemas,
    service_schemas,
    bridge_schemas,
    hygiene_schemas,
    parts_schemas,
)
FORMS = [kind for module in MODULES for kind in vars(module).values()]
ROLES = ("director", "manager", "rep", "service", "data_scientist", "nothing")
GRANTED = {
    "service": {Scope.LEADS_SCORE, Scope.PREDICTIONS_READ, Scope.MODELS_READ},
    "nothing": set(),
}


@pytest.fixture(scope="module")
def app() -> FastAPI:
    return create_app(Config())


def routes(app: FastAPI) -> Iterator[APIRoute]:
    for route in app.routes:
        if isinstance(route, APIRoute):
            yield route


def call(client: TestClient, path: str, headers: dict[str, str] | None = None):
    method, address, content = CALLS[path]
    return client.request(method, address, json=content, headers=headers)


def assert_problem(answer, status: int) -> dict[str, object]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    content = answer.json()
    service_schemas.ProblemAnswer.model_validate(content)
    assert content["status"] == status
    assert content["request_id"] == answer.headers["x-request-id"]
    assert len(content["errors"]) <= 20
    assert "Traceback" not in answer.text
    return content


def test_every_route_is_in_the_table_of_this_test(app: FastAPI) -> None:
    assert {route.path for route in routes(app)} == set(CALLS)


def test_every_route_demands_a_scope_or_is_public_for_a_reason(app: FastAPI) -> None:
    for route in app.routes:
        path = str(getattr(route, "path", ""))
        assert (declared_scope(route) is not None) != bool(PUBLIC.get(path)), path


def test_every_route_states_its_answer_and_its_errors(app: FastAPI) -> None:
    document = app.openapi()
    for route in routes(app):
        (method,) = {m.lower() for m in route.methods} - {"head"}
        stated = document["paths"][route.path][method]["responses"]
        content = stated["200"]["content"]
        if route.path != "/metrics":
            assert content["application/json"]["schema"]["$ref"].startswith("#/components/schemas/")
        errors = {status for status in stated if not status.startswith("2")}
        assert {"429", "431", "500"} <= errors
        if declared_scope(route) is not None:
            assert {"401", "403", "422", "503"} <= errors
        for status in errors - ({"503"} if route.path == "/health/ready" else set()):
            ((kind, form),) = stated[status]["content"].items()
            assert kind == "application/problem+json"
            assert form["schema"] == {"$ref": "#/components/schemas/ProblemAnswer"}, (route.path, status)
    assert {"ProblemAnswer", "ProblemField", "ScoreRow"} <= set(document["components"]["schemas"])


def test_every_answer_has_an_example_and_no_defaults() -> None:
    answers = [
        kind
        for kind in FORMS
        if isinstance(kind, type) and issubclass(kind, schemas.Answer) and kind is not schemas.Answer
    ]
    assert len(answers) > 10
    for kind in answers:
        assert all(field.is_required() for field in kind.model_fields.values()), kind.__name__


def test_examples_have_the_form_they_illustrate() -> None:
    for kind in FORMS:
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            extra = kind.model_config.get("json_schema_extra") or {}
            assert isinstance(extra, dict)
            for example in extra.get("examples", []):
                kind.model_validate(example)


def test_a_route_without_scope_keeps_the_application_from_starting() -> None:
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    app.add_api_route("/v1/forgotten", lambda: None)
    with pytest.raises(RouteWithoutScope, match="/v1/forgotten"):
        require_scopes(app)


def test_a_mounted_application_without_scope_is_refused() -> None:
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    app.mount("/admin", FastAPI())
    with pytest.raises(RouteWithoutScope, match="/admin"):
        require_scopes(app)


def test_documentation_is_served_on_this_machine_only(tmp_path: Path) -> None:
    exposed = create_app(Config(serving=ServingSection(host="0.0.0.0")))
    assert not {"/docs", "/openapi.json"} & {getattr(route, "path", "") for route in exposed.routes}


@pytest.mark.parametrize("login", ROLES)
@pytest.mark.parametrize("path", [path for path in CALLS if path not in PUBLIC])
def test_roles_open_what_the_policy_says_and_nothing_else(
    client: TestClient, app: FastAPI, as_role: As, login: str, path: str
) -> None:
    scope = next(declared_scope(route) for route in routes(app) if route.path == path)
    granted = GRANTED[login] if login in GRANTED else ROLE_SCOPES[Role(login)]
    answer = call(client, path, as_role(login))
    if scope in granted:
        is_found = path not in NOT_THERE and (path not in OF_ALL or login == "director")
        assert answer.status_code == (200 if is_found else 404), answer.text
    else:
        assert_problem(answer, 403)


@pytest.mark.parametrize("path", CALLS)
def test_without_a_key_only_public_routes_answer(client: TestClient, path: str) -> None:
    answer = call(client, path)
    if path in PUBLIC:
        assert answer.status_code == 200
    else:
        assert_problem(answer, 401)
        assert answer.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize("path", [path for path in CALLS if path not in PUBLIC])
def test_keys_that_are_not_keys_open_nothing(client: TestClient, house, path: str) -> None:
    key = house.keys["director"]
    prefix, secret = key[:15], key[16:]
    forged = [
        "",
        "Bearer",
        "Bearer ",
        f"Basic {key}",
        f"Token {key}",
        key,
        f"Bearer {key}x",
        f"Bearer {key[:-1]}",
        f"Bearer {prefix}_{'A' * 43}",
        f"Bearer sc_{'0' * 12}_{secret}",
        f"Bearer {key.upper()}",
        f"Bearer  {key}",
        f"Bearer {key} {key}",
        "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJkaXJlY3RvciJ9.",
        "Bearer null",
        f"Bearer {prefix}_",
        "Bearer sc_' OR '1'='1_x",
    ]
    for authorization in forged:
        assert_problem(call(client, path, {"Authorization": authorization}), 401)
    method, address, content = CALLS[path]
    for elsewhere in (f"?access_token={key}", f"?key={key}"):
        assert_problem(client.request(method, address + elsewhere, json=content), 401)
    assert_problem(client.request(method, address, json=content, headers={"Cookie": f"key={key}"}), 401)


@pytest.mark.parametrize("path", CALLS)
@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "TRACE", "OPTIONS"])
def test_other_methods_are_refused(client: TestClient, as_role: As, path: str, method: str) -> None:
    content = {} if method in {"PUT", "PATCH"} else None
    assert_problem(client.request(method, CALLS[path][1], json=content, headers=as_role("director")), 405)


@pytest.mark.parametrize(
    "path",
    ["/", "/v1", "/v1/leads", "/admin", "/v1/models/", "/v1//models", "/.env", "/static/../app.db", "/v2/models"],
)
def test_unknown_addresses_are_not_found(client: TestClient, as_role: As, path: str) -> None:
    assert_problem(client.get(path, headers=as_role("director")), 404)


def test_an_unknown_task_is_not_found(client: TestClient, as_role: As) -> None:
    assert_problem(client.get("/v1/models/churn", headers=as_role("director")), 404)


@pytest.mark.parametrize("name", ["..", "%2e%2e", "%00", "a" * 500, "%ED%A0%80", "lead_score%2f..", "LEAD", "%252e"])
def test_names_that_are_no_tasks_never_fail_the_service(client: TestClient, as_role: As, name: str) -> None:
    answer = client.get(f"/v1/models/{name}", headers=as_role("director"))
    if answer.status_code != 200:
        assert_problem(answer, answer.status_code)
        assert answer.status_code in {404, 422}


def test_a_model_card_shows_figures_history_and_both_languages(client: TestClient, as_role: As) -> None:
    content = client.get("/v1/models/lead_score", headers=as_role("data_scientist")).json()
    model_schemas.ModelCard.model_validate(content)
    assert content["figures"] == {"test.auc": 0.81, "baseline.auc": 0.7}
    assert (content["card_en"], content["card_zh"]) == ("# Card", "# 卡")
    assert content["versions"][0]["version"] == "1"


def test_models_are_listed(client: TestClient, as_role: As) -> None:
    content = client.get("/v1/models", headers=as_role("director")).json()
    model_schemas.ModelList.model_validate(content)
    assert content["models"][0]["task"] == "lead_score"


def test_metrics_count_requests_without_ids_or_names(client: TestClient, as_role: As) -> None:
    client.post("/v1/leads/score", json={"ids": ["L0"]}, headers=as_role("director"))
    text = client.get("/metrics", headers=as_role("data_scientist")).text
    assert 'route="/v1/leads/score"' in text
    assert "L0" not in text
    assert "Canary" not in text
