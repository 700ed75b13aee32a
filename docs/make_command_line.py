"""Write docs/command-line.md from the commands' own help, so that it can't say anything else than they do.

python docs/make_command_line.py
"""

from __future__ import annotations

import os
from pathlib import Path

COMMANDS = (
    (),
    ("ingest",),
    ("sync", "add"),
    ("sync", "run"),
    ("sync", "watch"),
    ("sync", "list"),
    ("sync", "remove"),
    ("jobs", "list"),
    ("jobs", "show"),
    ("jobs", "resume"),
    ("jobs", "cancel"),
    ("jobs", "retry"),
    ("access", "show"),
    ("access", "set"),
    ("people", "list"),
    ("people", "add"),
    ("people", "invite"),
    ("people", "groups"),
    ("people", "role"),
    ("people", "lock"),
    ("people", "export"),
    ("people", "forget"),
    ("remove",),
    ("ask",),
    ("search",),
    ("eval", "run"),
    ("status",),
    ("doctor",),
    ("backup",),
    ("restore",),
    ("models",),
    ("serve",),
    ("up",),
    ("ui",),
    ("mcp",),
)

OPENING = """# Command line

<!-- Written by docs/make_command_line.py from the commands' help; change it there. -->

Results go to stdout, progress and notes to stderr, so that every command works in a pipe. `--json` prints the result
for programs, `--quiet` silences progress and notes; `--profile` and `--data` choose the settings and the data folder.

| exit code | meaning |
| --- | --- |
| 0 | did it; an honest "not in your documents" is an answer |
| 1 | did part: some files failed, or some questions could not be asked, each with its reason |
| 2 | could not, with one sentence why |
| 130 | interrupted with Ctrl-C; what was finished before stays |
| 141 | the reader of the output left, as `head` does |

```bash
ragapp ingest ~/policies                          # take a folder in
ragapp ask "How many days of leave do I have?"    # one question
ragapp ask                                        # a conversation: Ctrl-C stops an answer, Ctrl-D ends it
ragapp search "notice period" --json | jq -r '.passages[].source'
ragapp ask --questions questions.jsonl > answers.jsonl
```
"""


def page() -> str:
    """The whole page as Markdown."""
    return OPENING + "".join(_section(words) for words in COMMANDS)


def _section(words: tuple[str, ...]) -> str:
    from typer.testing import CliRunner

    from ragapp.cli.commands import app

    # a fixed width and no colours, wherever this runs
    plain = {"COLUMNS": "100", "TERMINAL_WIDTH": "100", "NO_COLOR": "1", "TERM": "dumb"}
    shown = CliRunner().invoke(app, [*words, "--help"], env={**os.environ, **plain}, prog_name="ragapp").output
    name = " ".join(("ragapp", *words))
    lines = "\n".join(line.rstrip() for line in shown.strip().splitlines())
    return f"\n## {name}\n\n```text\n{lines}\n```\n"


if __name__ == "__main__":
    (Path(__file__).parent / "command-line.md").write_text(page(), encoding="utf-8")
