"""Look at the named files and say what must not be committed; exit 1 when something is found."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

MOST_BYTES = 600_000
GENERATED = {"requirements.lock"}
# Written in pieces, so that this file does not find itself.
HOSTS = ("py" + "pi.org", "python" + "hosted.org", "registry.npm" + "js", "deb.debian" + ".org", "crates" + ".io")
PATTERNS = {
    "a path of one machine": re.compile(
        r"(?<![\w.])/(?:" + "|".join(("wo" + "rk", "ro" + "ot", "ho" + r"me/\w+")) + ")/"
    ),
    "the address of a package index": re.compile("|".join(re.escape(host) for host in HOSTS)),
    "a private key": re.compile("-----BEGIN [A-Z ]*PRIVATE " + "KEY"),
}


def find_faults(path: Path) -> list[str]:
    """One sentence for each thing in the file that must not be committed."""
    content = path.read_bytes()
    if len(content) > MOST_BYTES:
        return [f"{path}: {len(content):,} bytes; keep committed files below {MOST_BYTES:,}"]
    if b"\0" in content:
        return []
    text = content.decode("utf-8", errors="replace")
    faults = [
        f"{path}, line {text.count(chr(10), 0, found.start()) + 1}: holds {what}: {found.group(0)!r}"
        for what, pattern in PATTERNS.items()
        if path.name not in GENERATED or what != "a path of one machine"
        for found in pattern.finditer(text)
    ]
    if text and not text.endswith("\n"):
        faults.append(f"{path}: does not end with a new line")
    if path.suffix == ".ipynb":
        cells = [cell for cell in json.loads(text)["cells"] if cell["cell_type"] == "code"]
        if any(cell["outputs"] or cell["execution_count"] for cell in cells):
            faults.append(f"{path}: holds outputs; clear them before committing")
    return faults


def main(names: list[str]) -> int:
    """Exit code for the named files; 2 when none is named, since nothing was then looked at."""
    if not names:
        sys.stderr.write("no files were named; is this a git checkout?\n")
        return 2
    faults = [fault for name in names for fault in find_faults(Path(name)) if Path(name).is_file()]
    sys.stderr.writelines(f"{fault}\n" for fault in faults)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
