"""Write docs/configuration.md from the settings themselves, so that it can't say anything else than the code.

python docs/make_configuration.py
"""

from pathlib import Path

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from ragapp.profiles import profile_names
from ragapp.settings import Settings
from ragapp.variables import ENV_PREFIX, variable

OPENING = f"""# Configuration

<!-- Written by docs/make_configuration.py from ragapp/settings.py; change it there. -->

Nothing has to be set: the default profile answers from your documents with models that come as packages, without
network, GPU or server. What you do set is read once, in this order, the later beating the earlier:

1. the profile: a YAML file, chosen by name ({", ".join(profile_names())}) or path with `--profile`, `RAGAPP_PROFILE` or
   `Settings(profile=…)`; `laptop` if none is chosen;
2. environment variables: `{ENV_PREFIX}` and the key in capitals, with `__` between its levels;
3. arguments: `Settings(data="…", retrieve={{"limit": 5}})`, or a command's options.

An unknown key, a wrong type, or values that can't live together are refused in one sentence that names the key, the
place it stands in and the nearest right key. `ragapp doctor` prints every value and where it came from.

With `offline`, the default, no library in the process reaches for a hub (`HF_HUB_OFFLINE` and its like are set), to the
process's end and in what it starts, since libraries read those variables once; so it is with telemetry and tracing.

A profile is a tree of the keys below:

```yaml
offline: true
retrieve:
  limit: 5
```

Where a key holds a list, a profile has a YAML list, and a variable has its texts with commas between them, or a JSON
list: `{variable("accepted_licences")}=gemma,llama3.1`. A variable can also hold a whole part as JSON,
`{variable("retrieve")}='{{"limit": 5, "candidates": 40}}'`; the variables of its keys beat it.
"""


def page() -> str:
    """The whole page as Markdown."""
    return OPENING + "".join(_section(name, model) for name, model in _parts())


def _parts() -> list[tuple[str, type[BaseModel]]]:
    fields = Settings.model_fields.items()
    parts = [(name, field.annotation) for name, field in fields]
    inner = [(name, part) for name, part in parts if isinstance(part, type) and issubclass(part, BaseModel)]
    return [("", Settings), *inner]


def _section(name: str, model: type[BaseModel]) -> str:
    title = f"## {name}" if name else "## At the top"
    about = (model.__doc__ or "").strip() if name else "Keys that stand at the top of a profile."
    rows = ["| key | default | what it is | variable |", "| --- | --- | --- | --- |"]
    for key, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            continue
        value = ", ".join(field.default) if isinstance(field.default, tuple) else field.default
        default = "" if value in (None, PydanticUndefined, "") else f"`{value}`"
        full = f"{name}.{key}" if name else key
        rows.append(f"| `{full}` | {default} | {field.description} | `{variable(full)}` |")
    return f"\n{title}\n\n{about}\n\n" + "\n".join(rows) + "\n"


if __name__ == "__main__":
    (Path(__file__).parent / "configuration.md").write_text(page(), encoding="utf-8")
