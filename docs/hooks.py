"""Hooks of MkDocs: pages of the site from files elsewhere, and links between the docstrings of the reference."""

import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from nbconvert import MarkdownExporter

ROOT = Path(__file__).parent.parent
PAGES = {"README.md": "index.md", "CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md"}
ROLE = re.compile(r":(?:class|data|func|meth|mod):<code>([\w.]+)</code>")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the README, CONTRIBUTING, CHANGELOG and the notebooks as pages."""
    for name, page in PAGES.items():
        text = (ROOT / name).read_text(encoding="utf-8").replace("](docs/", "](")
        for other, target in PAGES.items():
            text = text.replace(f"]({other})", f"]({target})")
        files.append(File.generated(config, page, content=text))
    for notebook in sorted((ROOT / "docs" / "notebooks").glob("*.ipynb")):
        files.remove(files.src_uris[f"notebooks/{notebook.name}"])
        text, resources = MarkdownExporter().from_filename(str(notebook), {"unique_key": notebook.stem})
        files.append(File.generated(config, f"notebooks/{notebook.stem}.md", content=text))
        for picture, data in resources["outputs"].items():
            files.append(File.generated(config, f"notebooks/{picture}", content=data))
    return files


def on_page_markdown(markdown: str, **_: object) -> str:
    """Link to the pages that are made of the notebooks."""
    return markdown.replace(".ipynb)", ".md)")


def on_page_content(html: str, **_: object) -> str:
    """Turn Sphinx's roles, such as ``:class:`lstmzoo.Forecaster```, into links, if the reference has their target."""
    return ROLE.sub(r'<autoref identifier="\1" optional><code>\1</code></autoref>', html)
