#!/usr/bin/env bash
# qdrant-edge-py 0.9.0 and qdrant-client 1.20.0 (in memory): a filter whose `should` is an empty list matches every point.
#
# "Any of these conditions" of a list that happens to be empty is nothing in logic, and all points here: a filter that a
# program builds from a list of choices opens wide where the list is empty. An empty MatchAny matches nothing in both, so it
# is the safe way to say "any of these". Seen in November 2026:
#   edge 0.9.0: should=[] 3 of 3, MatchAny([]) 0
#   client 1.20.0: should=[] 3 of 3, MatchAny([]) 0
set -euo pipefail
room=$(mktemp -d)
trap 'rm -rf "$room"' EXIT
python3 -m venv "$room/venv"
"$room/venv/bin/pip" install --quiet --disable-pip-version-check qdrant-edge-py==0.9.0 qdrant-client==1.20.0
"$room/venv/bin/python" - "$room/shard" <<'PYTHON'
import pathlib
import sys
from importlib.metadata import version

import qdrant_edge as edge
from qdrant_client import QdrantClient, models

folder = pathlib.Path(sys.argv[1])
folder.mkdir()
shard = edge.EdgeShard.create(
    str(folder), edge.EdgeConfig(vectors={"v": edge.EdgeVectorParams(size=2, distance=edge.Distance.Cosine)})
)
shard.update(
    edge.UpdateOperation.upsert_points([edge.Point(n, {"v": [1.0, n / 10]}, {"group": f"g{n}"}) for n in (1, 2, 3)])
)


def in_edge(within):
    return shard.count(edge.CountRequest(exact=True, filter=within))


client = QdrantClient(":memory:")
client.create_collection("c", models.VectorParams(size=2, distance=models.Distance.COSINE))
client.upsert("c", [models.PointStruct(id=n, vector=[1.0, n / 10], payload={"group": f"g{n}"}) for n in (1, 2, 3)])


def in_client(within):
    return client.count("c", count_filter=within, exact=True).count


seen = {
    f"edge {version('qdrant-edge-py')}": (
        in_edge(edge.Filter(should=[])),
        in_edge(edge.Filter(must=[edge.FieldCondition("group", match=edge.MatchAny([]))])),
    ),
    f"client {version('qdrant-client')}": (
        in_client(models.Filter(should=[])),
        in_client(models.Filter(must=[models.FieldCondition(key="group", match=models.MatchAny(any=[]))])),
    ),
}
for name, (empty, none) in seen.items():
    print(f"{name}: should=[] {empty} of 3, MatchAny([]) {none}")
sys.exit(0 if all(each == (3, 0) for each in seen.values()) else "it has changed")
PYTHON
