"""Hooks of MkDocs: add pages from outside docs/, and refuse parts from other servers."""

import re
from pathlib import Path
from typing import Any

from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files

_TOP = Path(__file__).parent.parent
_PAGES = {
    "../.env.example": "settings.md",
    "../deploy/alerts.yml": "alerts.md",
    "../ARCHITECTURE.md": "architecture.md",
    "../CHANGELOG.md": "changelog.md",
    "../README.md": "index.md",
}
_LOADED = re.compile(r"<(?:script|link|img|iframe)\b[^>]*\b(?:src|href)=[\"']?https?:[^>]*>")
_ALERTS = "# Alert rules\n\n```yaml\n{}```\n"
_SETTINGS = "# Settings\n\nEnvironment variables, or a file `.env`:\n\n```ini\n{}```\n"


def on_files(files: Files, config: Any) -> Files:
    """Add pages for files outside docs/, with their links relative to docs/."""
    env = (_TOP / ".env.example").read_text()
    files.append(File.generated(config, "settings.md", content=_SETTINGS.format(env)))
    rules = (_TOP / "deploy/alerts.yml").read_text()
    files.append(File.generated(config, "alerts.md", content=_ALERTS.format(rules)))
    for name in ("ARCHITECTURE.md", "CHANGELOG.md"):
        text = (_TOP / name).read_text().replace("](docs/", "](")
        files.append(File.generated(config, name.lower(), content=text))
    return files


def on_page_markdown(markdown: str, **_: object) -> str:
    """Turn links to files outside docs/ into links to their pages."""
    for outside, page in _PAGES.items():
        markdown = markdown.replace(f"]({outside})", f"]({page})")
    return markdown


def on_post_page(output: str, **_: object) -> str:
    """Return the page; PluginError if a browser would load a part of it from another server."""
    if found := _LOADED.search(output):
        raise PluginError(f"the site must work offline, but loads {found[0]}")
    return output
