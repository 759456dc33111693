"""Every exception that can reach a person has a row in a table: HTTP status, exit code, or a reason for neither."""

import ast
from functools import cache
from importlib import import_module
from pathlib import Path

from serving.cli_errors import exit_code
from serving.errors import TABLE

ROOT = Path(__file__).parents[2]
PACKAGES = ("crm", "features", "models", "planning", "serving")
NEVER_LEAVES = {
    "features.build.BadSpine": "a fault of ours: callers build spines",
    "features.catalogue.UnknownGroup": "a fault of ours: task files name groups",
    "features.node_cells.UnknownNode": "becomes what is answered of a node that is not there",
    "features.spec.BadSpec": "a fault of ours: raised while specs are read at import",
    "models.deal_what_if.NotOpen": "becomes what is answered of a deal that is not there",
    "models.reconcile_nonnegative.NotSolved": "a fault of ours: a covariance that is none",
    "models.reconcile_weights.BadHierarchy": "a fault of ours: callers build hierarchies and base forecasts",
    "models.splits.TooFewRows": "becomes the reason of a refused training",
    "serving.auth.RouteWithoutScope": "a fault of ours: stops the application from starting",
    "serving.errors.Refusal": "the base of what the table lists",
    "serving.records.BadRecord": "becomes the message of one answered row",
}


@cache
def exceptions() -> dict[str, type[BaseException]]:
    found = {}
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            if "migrations" in path.parts:
                continue
            classes = [
                node for node in ast.parse(path.read_text(encoding="utf-8")).body if isinstance(node, ast.ClassDef)
            ]
            module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            for node in classes:
                if node.name.startswith("_") or not node.bases:
                    continue
                kind = getattr(import_module(module), node.name)
                if isinstance(kind, type) and issubclass(kind, BaseException):
                    found[f"{module}.{node.name}"] = kind
    return found


def test_every_public_exception_has_a_row_or_a_reason() -> None:
    # `Exception` in the table is the answer to a fault of ours and no row for anything we raise by name.
    rows = set(TABLE) - {Exception}
    missing = [
        name
        for name, kind in exceptions().items()
        if name not in NEVER_LEAVES and not rows & set(kind.__mro__) and exit_code(kind.__new__(kind)) is None
    ]
    assert missing == []


def test_no_reason_stands_for_an_exception_that_is_gone() -> None:
    assert set(NEVER_LEAVES) - set(exceptions()) == set()
