#!/usr/bin/env bash
# langchain-core 1.7.2: a JSON schema given as a dict whose root is a reference loses both `$ref` and `$defs` in
# convert_to_json_schema, without an error.
#
# A schema written as {"title", "$ref": "#/$defs/Order", "$defs": {...}} is valid JSON Schema, and is what several tools
# write for a recursive root. What comes out allows anything, so structured output constrains nothing. The same schema
# with its properties at the root comes through whole. Seen in November 2026:
#   langchain-core 1.7.2: by reference {"description": "An order.", "title": "Order"}; spelled out: properties number
set -euo pipefail
room=$(mktemp -d)
trap 'rm -rf "$room"' EXIT
python3 -m venv "$room/venv"
"$room/venv/bin/pip" install --quiet --disable-pip-version-check langchain-core==1.7.2
"$room/venv/bin/python" - <<'PYTHON'
import json
import sys
from importlib.metadata import version

from langchain_core.utils.function_calling import convert_to_json_schema

order = {"type": "object", "properties": {"number": {"type": "integer"}}, "required": ["number"]}
by_reference = convert_to_json_schema(
    {"title": "Order", "description": "An order.", "$ref": "#/$defs/Order", "$defs": {"Order": order}}
)
spelled_out = convert_to_json_schema({"title": "Order", "description": "An order.", **order})
print(f"langchain-core {version('langchain-core')}: by reference {json.dumps(by_reference, sort_keys=True)};", end=" ")
print("spelled out: properties", *spelled_out["properties"])
lost = "number" not in json.dumps(by_reference)
sys.exit(0 if lost and "number" in spelled_out["properties"] else "it has changed")
PYTHON
