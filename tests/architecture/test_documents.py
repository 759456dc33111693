"""Documents say what the code does: generated ones are current, written ones name what exists."""

import re
from pathlib import Path

import pytest

from crm.config import read_config
from serving.documents import DOCUMENTS

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", sorted(DOCUMENTS))
def test_generated_document_is_current(name: str) -> None:
    written = (ROOT / name).read_text(encoding="utf-8")
    assert written == DOCUMENTS[name]().rstrip() + "\n", f"{name} is stale; run `make docs`"


def test_the_example_of_the_settings_is_valid() -> None:
    config = read_config(ROOT / "examples" / "salescast.yaml", environment={})
    assert config.company.name == "Example Instruments"


def test_every_make_target_stands_in_the_readme() -> None:
    targets = re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE)
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(targets) > 10
    assert [target for target in targets if f"`make {target}`" not in readme] == []


@pytest.mark.parametrize("name", ["README.md", "README.zh-CN.md", "CONTRIBUTING.md"])
def test_every_link_into_the_house_leads_somewhere(name: str) -> None:
    linked = re.findall(r"\]\((?!http)([^)#]+)", (ROOT / name).read_text(encoding="utf-8"))
    assert [target for target in linked if not (ROOT / target).exists()] == []


def test_every_decision_has_its_four_sections_and_its_own_number() -> None:
    pages = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    numbers = [page.name[:4] for page in pages]
    assert numbers == [f"{place:04d}" for place in range(1, len(pages) + 1)], "each number once, without a gap"
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert text.startswith(f"# {page.name[:4]} ")
        for section in ("## Context", "## Decision", "## Consequences", "## Alternatives"):
            assert section in text, f"{page.name} lacks {section}"
