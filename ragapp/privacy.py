"""What may leave the machine: nothing, unless the settings say so. Set before any library is imported."""

from __future__ import annotations

import os
import sys

from ragapp.settings import Settings

_TELEMETRY_OFF = {
    "DO_NOT_TRACK": "1",
    "SCARF_NO_ANALYTICS": "true",
    "VLLM_NO_USAGE_STATS": "1",
    "VLLM_DO_NOT_TRACK": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "ANONYMIZED_TELEMETRY": "False",
    "RAY_USAGE_STATS_ENABLED": "0",
    "STREAMLIT_BROWSER_GATHER_USAGE_STATS": "false",
}
_OFFLINE = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}
_TRACING = ("LANGSMITH_TRACING", "LANGSMITH_TRACING_V2", "LANGCHAIN_TRACING", "LANGCHAIN_TRACING_V2")


def keep_in_the_house(settings: Settings) -> None:
    """Turn off every library's telemetry, hub access where offline, and tracing inherited from the environment.

    For the whole process and what it starts, and to its end: libraries read these variables once, when they are
    imported, processes when they start, and an answer that outlives its app must not be traced after all.
    """
    os.environ.update(_TELEMETRY_OFF)
    if settings.offline:
        os.environ.update(_OFFLINE)
    if not settings.privacy.tracing:
        os.environ.update(dict.fromkeys(_TRACING, "false"))
        langsmith = sys.modules.get("langsmith.utils")
        if langsmith is not None:
            # it remembers what the environment said when it was first asked
            langsmith.get_env_var.cache_clear()
