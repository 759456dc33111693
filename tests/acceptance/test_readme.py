"""What the README promises a stranger: its commands exist, and its curl works against the demo."""

import json
import os
import re
import shutil
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from subprocess import DEVNULL, Popen, run
from urllib.error import URLError
from urllib.request import urlopen

import pytest
import typer.main

from serving.cli import app
from serving.cli_demo import EXAMPLE_LEAD

ROOT = Path(__file__).parents[2]
READMES = ("README.md", "README.zh-CN.md")


def blocks(name: str) -> list[str]:
    """The shell blocks of a README."""
    return re.findall(r"```bash\n(.*?)```", (ROOT / name).read_text(encoding="utf-8"), flags=re.DOTALL)


@pytest.mark.parametrize("name", READMES)
def test_every_command_of_the_readme_exists_with_its_options(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    called = [line.split() for line in re.findall(r"(?:^|`)salescast ([a-z].*?)(?:`|$)", text, flags=re.MULTILINE)]
    assert len(called) >= 8
    for words in called:
        command = typer.main.get_command(app)
        while words and hasattr(command, "commands"):
            assert words[0] in command.commands, f"salescast {words[0]}"
            command = command.commands[words.pop(0)]
        options = {option for parameter in command.params for option in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= options, words


@pytest.mark.parametrize("name", READMES)
def test_every_make_command_of_the_readme_is_a_target(name: str) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    called = re.findall(r"make ([a-z-]+)", "\n".join(blocks(name)))
    assert called
    assert [target for target in called if f"\n{target}:" not in makefile] == []


@pytest.mark.parametrize("name", READMES)
def test_the_curl_of_the_readme_asks_what_the_demo_prints(name: str) -> None:
    (curl,) = [block for block in blocks(name) if block.startswith("curl")]
    body = re.search(r"-d '(.*)'", curl)
    assert body is not None
    assert json.loads(body.group(1)) == {"records": [EXAMPLE_LEAD]}


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[tuple[str, str]]:
    """Address and key of the served demo company."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    command = [sys.executable, "-m", "serving.cli", "demo", "--folder", str(tmp_path / "demo")]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    for _ in range(2):
        # Twice: the second call keeps what stands.
        made = run([*command, "--no-serve", "--json"], cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert made.returncode == 0, made.stderr[-2000:]
    key = json.loads(made.stdout)["keys"]["demo-director"]
    serve = [sys.executable, "-m", "serving.cli", "--config", str(tmp_path / "demo" / "salescast.yaml"), "serve"]
    server = Popen([*serve, "--port", port], cwd=tmp_path, env=environment, stdout=DEVNULL, stderr=DEVNULL)
    try:
        for _ in range(120):
            try:
                urlopen(f"http://127.0.0.1:{port}/health/ready", timeout=2)
                break
            except URLError:
                time.sleep(0.5)
        yield f"http://127.0.0.1:{port}", key
    finally:
        server.terminate()
        server.wait(timeout=30)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
def test_the_curl_of_the_readme_works_against_the_demo(demo: tuple[str, str]) -> None:
    address, key = demo
    (curl,) = [block for block in blocks("README.md") if block.startswith("curl")]
    command = curl.replace("http://127.0.0.1:8000", address)
    answered = run(["bash", "-c", command], env=os.environ | {"KEY": key}, capture_output=True, text=True)
    (row,) = json.loads(answered.stdout)["rows"]
    assert row["status"] in {"scored", "base_rate"}
    assert 0 < row["probability"] < 1
    assert row["event"] == "lead qualified"
    assert row["model_version"]
