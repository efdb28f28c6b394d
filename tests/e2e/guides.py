"""Run the fenced blocks of a page in order, as a reader would.

`sh` and `python` blocks are run. A block of `json`, `csv` or `http` after one is its response: of
`json` the keys and the types of values must match, of `csv` the first line, of `http` the names
before the colons in their order. If the response is an error of the API, curl must fail.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

RUN = ("sh", "python")
RESPONSES = ("json", "csv", "http")
SHOWN_ONLY = ("text", "yaml", "ini", "nginx", "caddyfile")

MORE = "…"  # a key of this name: the object has more keys than shown

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_SECONDS = 600  # an installation may take long
_CURL_FAILED = 22
# A status of 400 and above ends curl with 22, and its body is still printed.
_CURLRC = "fail-with-body\nsilent\nshow-error\nmax-time 100\n"

_INTERPRETER = """
import json, sys, traceback
names = {"__name__": "__main__"}
results, sys.stdout = sys.stdout, sys.stderr
for line in sys.stdin:
    try:
        exec(compile(json.loads(line), "guide", "exec"), names)
        print("done", file=results, flush=True)
    except Exception:
        print(json.dumps(traceback.format_exc()), file=results, flush=True)
"""


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block, and the response shown after it."""

    page: str
    language: str
    text: str
    response_language: str = ""
    response: str = ""

    @property
    def name(self) -> tuple[str, str]:
        """Page and first line."""
        return self.page, self.text.partition("\n")[0]


def blocks_of(page: Path) -> list[Block]:
    """Return all blocks of a page in order; a response belongs to the block before it."""
    found = [(match[1], match[2]) for match in _FENCE.finditer(page.read_text())]
    pairs = pairwise([*found, ("", "")])
    return [
        Block(page.name, language, text, *(following if following[0] in RESPONSES else ()))
        for (language, text), following in pairs
    ]


class Reader:
    """Runs blocks in one folder, with one environment and one interpreter of Python."""

    def __init__(self, folder: Path, settings: Mapping[str, str], names: Mapping[str, str]) -> None:
        """`names` maps texts of the guides to their values here, such as URLs."""
        self._folder = folder
        self._names = names
        (folder / ".curlrc").write_text(_CURLRC)
        programs = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        self._variables = {
            **settings,
            "PATH": programs,
            "CURL_HOME": str(folder),
        }
        if "PYTHONPATH" in os.environ:
            self._variables["PYTHONPATH"] = os.environ["PYTHONPATH"]

    def read(self, blocks: list[Block]) -> None:
        """Run the blocks; AssertionError at the first one that fails or responds differently."""
        with self._interpreter() as interpreter:
            for block in blocks:
                if block.language == "sh":
                    _compare(block, self._shell(block))
                elif block.language == "python":
                    _execute(interpreter, self._localized(block.text))

    def _shell(self, block: Block) -> str:
        """Run a block and return its output; variables that it sets remain for the next block."""
        kept = self._folder / ".variables"
        script = f"set -aeu\n{self._localized(block.text)}\nenv -0 >{kept}"
        done = subprocess.run(
            ["/bin/bash", "-c", script],
            cwd=self._folder,
            env=self._variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
        )
        expected = _CURL_FAILED if _shows_an_error(block) else 0
        assert expected == done.returncode, f"{block.text}\n{done.stdout}\n{done.stderr}"
        if not expected:
            pairs = (text.partition("=") for text in kept.read_text().split("\0") if text)
            self._variables = {name: value for name, _, value in pairs}
        return done.stdout

    def _localized(self, text: str) -> str:
        for name, value in self._names.items():
            text = text.replace(name, value)
        return text

    @contextmanager
    def _interpreter(self) -> Iterator["subprocess.Popen[str]"]:
        process = subprocess.Popen(
            [sys.executable, "-c", _INTERPRETER],
            cwd=self._folder,
            env=self._variables,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        with process:
            try:
                yield process
            finally:
                process.kill()


def _execute(interpreter: "subprocess.Popen[str]", text: str) -> None:
    assert interpreter.stdin
    assert interpreter.stdout
    interpreter.stdin.write(json.dumps(text) + "\n")
    interpreter.stdin.flush()
    result = interpreter.stdout.readline()
    assert result == "done\n", f"{text}\n{json.loads(result) if result else 'it ended'}"


def _shows_an_error(block: Block) -> bool:
    return (
        block.response_language == "json"
        and '"error": "' in block.response
        and '"code"' in block.response
    )


def _compare(block: Block, printed: str) -> None:
    if block.response_language == "json":
        assert _shape(json.loads(block.response), json.loads(printed)), f"{block.text}\n{printed}"
    elif block.response_language == "csv":
        assert block.response.partition("\n")[0] == printed.partition("\n")[0]
    elif block.response_language == "http":
        names = re.findall(r"^([\w-]+):", block.response, re.MULTILINE)
        pattern = ".*".join(f"^{name}:" for name in names)
        found = re.search(pattern, printed, re.MULTILINE | re.DOTALL | re.IGNORECASE)
        assert found, f"{block.text}\n{printed}"


def _shape(shown: Any, real: Any) -> bool:
    """Whether the shown value could be this response at another time; null matches all."""
    if shown is None or real is None:
        return True
    if isinstance(shown, dict) and isinstance(real, dict):
        keys = {key for key in shown if key != MORE}
        is_enough = keys <= real.keys() if MORE in shown else keys == real.keys()
        return is_enough and all(_shape(shown[key], real[key]) for key in keys)
    if isinstance(shown, list) and isinstance(real, list):
        return all(_shape(one, other) for one, other in zip(shown, real, strict=False))
    if isinstance(shown, int | float) and not isinstance(shown, bool):
        return isinstance(real, int | float) and not isinstance(real, bool)
    return type(shown) is type(real)
