"""Write docs/zoo.md from the YAML files of the zoo; ``--check`` only tests whether it is up to date."""

import sys
from pathlib import Path

from lstmzoo.config import list_models, load_config

PAGE = Path(__file__).parent / "zoo.md"
HEAD = """# The zoo

`make docs` writes this page from the YAML files; do not edit it. `lstmzoo show NAME` prints an entry in full, with its
search space.
"""


def render() -> str:
    """Return the page."""
    lines = [HEAD]
    tasks: dict[str, list[str]] = {}
    for name in list_models():
        tasks.setdefault(name.split("/")[0], []).append(name)
    for task, names in tasks.items():
        lines += [f"## {task}", "", "| entry | summary | hyperparameters | reference |", "| --- | --- | --- | --- |"]
        for name in names:
            config = load_config(name)
            settings = ", ".join(f"{k} {v}" for k, v in config.hyperparameters.items())
            lines.append(f"| `{name}` | {config.summary} | {settings} | {config.reference} |")
        lines.append("")
    return "\n".join(lines)


if __name__ == "__main__":
    if "--check" in sys.argv:
        sys.exit(PAGE.read_text(encoding="utf-8") != render())
    PAGE.write_text(render(), encoding="utf-8")
