"""What is being read, how far it is, and what became of each file."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from ui.client import Client
from ui.parts.counts import number_of
from ui.parts.plain import plain
from ui.parts.session import client, said
from ui.parts.table import table

_LOOK_S = 1
_GOING = ("waiting", "running")
_MOST_FILES = 500
_BADGES = {
    "waiting": ":gray-badge[waiting]",
    "running": ":blue-badge[running]",
    "finished": ":green-badge[finished]",
    "failed": ":red-badge[failed]",
    "interrupted": ":orange-badge[interrupted]",
    "cancelled": ":gray-badge[cancelled]",
}


def going(service: Client) -> list[dict[str, Any]]:
    """The jobs that run or wait, the last first."""
    return [job for job in service.get("/v1/jobs", limit=10) if job["state"] in _GOING]


def running(service: Client) -> None:
    """Live progress of what goes on now; nothing where nothing does."""
    if going(service):
        st.fragment(_progress, run_every=_LOOK_S)()


def _progress() -> None:
    service = client()
    with said():
        now = going(service)
        if not now:
            # the list below shows what came of it
            st.rerun()
        for job in reversed(now):
            with st.container(border=True):
                _one(service, job)


def _one(service: Client, job: dict[str, Any]) -> None:
    title, stop = st.columns([8, 1], vertical_alignment="center")
    title.markdown(f"{_BADGES[job['state']]} {plain(job['command'])}")
    if stop.button("Stop", key=f"stop-{job['id']}", width="stretch"):
        service.post(f"/v1/jobs/{job['id']}/cancel")
    told = job["progress"]
    if told is None:
        st.caption("It waits for the job before it.")
        return
    total = told["files_total"]
    done = told["bytes_done"] / told["bytes_total"] if told["bytes_total"] else 0.0
    st.progress(min(1.0, done), text=_said(told, total))
    if told["now"]:
        st.caption("Reading " + ", ".join(plain(source) for source in told["now"][:3]))


def _said(told: dict[str, Any], total: int | None) -> str:
    parts = [f"{told['files_done']} of {total} files" if total is not None else "looking for files"]
    parts += [number_of(told["pages"], "page"), number_of(told["chunks"], "chunk")]
    if told["failed"]:
        parts.append(f"{told['failed']} could not be read")
    if told["left_s"] is not None:
        parts.append(f"about {_duration(told['left_s'])} left")
    return " · ".join(parts)


def show(service: Client) -> None:
    """The last jobs."""
    found = service.get("/v1/jobs", limit=50)
    if not found:
        st.info("Nothing was taken in yet.", icon=":material/info:")
    for job in found:
        counts = [f"{job[name]} {name}" for name in ("added", "changed", "unchanged", "removed", "failed") if job[name]]
        label = f"{_BADGES[job['state']]} {plain(job['command'])} — {', '.join(counts) or 'nothing'}"
        with st.expander(label, key=f"job-{job['id']}", on_change="rerun") as opened:
            if opened.open:
                _details(service, job)


def _details(service: Client, job: dict[str, Any]) -> None:
    began = job["started"][:16].replace("T", " ")
    st.caption(f"Job {job['id']}, begun {began} UTC, {_duration(job['seconds'])}, {number_of(job['chunks'], 'chunk')}")
    if job["reason"]:
        st.warning(plain(job["reason"]), icon=":material/warning:")
    with st.container(horizontal=True):
        if job["state"] in ("interrupted", "cancelled", "failed") and st.button("Go on", key=f"resume-{job['id']}"):
            service.post(f"/v1/jobs/{job['id']}/resume")
            st.rerun()
        if (
            job["failed"]
            and job["state"] not in _GOING
            and st.button("Try what failed again", key=f"retry-{job['id']}")
        ):
            service.post(f"/v1/jobs/{job['id']}/retry", {"failed": True})
            st.rerun()
    files = service.get(f"/v1/jobs/{job['id']}/files", limit=_MOST_FILES)
    if files:
        table(frame_of(files))


def frame_of(files: list[dict[str, Any]]) -> pd.DataFrame:
    """Files of a job or a preview, what failed first."""
    ordered = sorted(files, key=lambda file: (not file["reason"], file["source"]))
    return pd.DataFrame(
        {
            "File": [file["source"] for file in ordered],
            "Plan": [file["action"] for file in ordered],
            "Became": [file["outcome"] or file["state"] for file in ordered],
            "Why": [file["reason"] for file in ordered],
        }
    )


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
