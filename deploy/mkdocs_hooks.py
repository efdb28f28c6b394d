"""What lies outside docs/ and belongs to the site; and that nothing is loaded from elsewhere."""

import re
from pathlib import Path
from typing import Any

from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files

_TOP = Path(__file__).parent.parent
_PAGES = {
    "../.env.example": "settings.md",
    "../ARCHITECTURE.md": "architecture.md",
    "../CHANGELOG.md": "changelog.md",
    "../README.md": "index.md",
}
_LOADED = re.compile(r"<(?:script|link|img|iframe)\b[^>]*\b(?:src|href)=[\"']?https?:[^>]*>")
_SETTINGS = "# Settings\n\nEnvironment variables, or a file `.env`:\n\n```ini\n{}```\n"


def on_files(files: Files, config: Any) -> Files:
    """Pages of the files outside, their links as seen from docs/."""
    env = (_TOP / ".env.example").read_text()
    files.append(File.generated(config, "settings.md", content=_SETTINGS.format(env)))
    for name in ("ARCHITECTURE.md", "CHANGELOG.md"):
        text = (_TOP / name).read_text().replace("](docs/", "](")
        files.append(File.generated(config, name.lower(), content=text))
    return files


def on_page_markdown(markdown: str, **_: object) -> str:
    """Links to the files outside, as links to their pages."""
    for outside, page in _PAGES.items():
        markdown = markdown.replace(f"]({outside})", f"]({page})")
    return markdown


def on_post_page(output: str, **_: object) -> str:
    """The page; an error where a browser would ask another server for a part of it."""
    if found := _LOADED.search(output):
        raise PluginError(f"the site has to work offline, and loads {found[0]}")
    return output
