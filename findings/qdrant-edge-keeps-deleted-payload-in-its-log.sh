#!/usr/bin/env bash
# qdrant-edge-py 0.9.0: the payload of a deleted point stays readable in the write-ahead log, after flush, optimize and close.
#
# Who deletes a point because its text must go (erasure, redaction) has it in `wal/` still, also where `optimize` writes
# segments anew without it: the log's files are kept until newer ones have been filled. Nothing in the API empties it. Seen in November 2026:
#   qdrant-edge-py 0.9.0, points after the delete: 0, files that hold the text: wal/open-1
# ragapp writes until the log has rolled over (ragapp/index/log.py), as `ragapp redact` does.
set -euo pipefail
room=$(mktemp -d)
trap 'rm -rf "$room"' EXIT
python3 -m venv "$room/venv"
"$room/venv/bin/pip" install --quiet --disable-pip-version-check qdrant-edge-py==0.9.0
"$room/venv/bin/python" - "$room/shard" <<'PYTHON'
import pathlib
import sys
from importlib.metadata import version

import qdrant_edge as edge

folder = pathlib.Path(sys.argv[1])
folder.mkdir()
marker = "the merger is signed in May"
shard = edge.EdgeShard.create(
    str(folder),
    edge.EdgeConfig(
        vectors={"v": edge.EdgeVectorParams(size=2, distance=edge.Distance.Cosine)},
        # a segment is written anew as soon as one point in it is dead
        optimizers=edge.EdgeOptimizersConfig(deleted_threshold=0.0, vacuum_min_vector_number=1),
    ),
)
shard.update(edge.UpdateOperation.upsert_points([edge.Point(1, {"v": [1.0, 0.0]}, {"text": marker})]))
shard.flush()
shard.update(edge.UpdateOperation.delete_points([1]))
shard.flush()
shard.optimize()
shard.flush()
left = shard.count(edge.CountRequest(exact=True))
shard.close()
holding = sorted(
    str(path.relative_to(folder))
    for path in folder.rglob("*")
    if path.is_file() and marker.encode() in path.read_bytes()
)
print(f"qdrant-edge-py {version('qdrant-edge-py')}, points after the delete: {left}, files that hold the text:", *holding)
sys.exit(0 if left == 0 and any(name.startswith("wal/") for name in holding) else "it has changed")
PYTHON
