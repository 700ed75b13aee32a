"""The process in which constraints are compiled before the engine sees them: each in a fork, which may be killed.

It compiles with the library that vLLM compiles with, for the same model's tokens, so that what passes here is known to
cost the engine no more. The library and the tokens, which take seconds to load, stay loaded whatever a fork dies of.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from ragapp.engine.lifeline import watch
from ragapp.network import refuse_if_told

_YIELDS = 5
"""How far it steps back behind the engine."""
ROOM_MIB = 1024
"""Memory that compiling may take beside the libraries."""
_USUAL_TOKENS = 50_000
"""Of a larger vocabulary each schema costs more, and has more time."""
LARGEST_GRAMMAR = 2 << 20
"""Characters; vLLM reads the grammar once more where requests come in."""


def serve(calls: int, parent: int, folder: str, seconds: int) -> None:
    """Answer calls until the parent closes its end. `calls` is an inherited file descriptor."""
    watch(parent)
    refuse_if_told()
    os.nice(_YIELDS)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to the whole group; the parent decides
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    connection = Connection(calls)
    compiler, tokens = _compiler(Path(folder))
    seconds = round(seconds * max(1.0, tokens / _USUAL_TOKENS))
    connection.send(seconds)
    try:
        while True:
            kind, text = connection.recv()
            if not (child := os.fork()):
                _limit(seconds)
                connection.send(_answered(compiler, kind, text))
                os._exit(0)
            code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            if code == -signal.SIGXCPU:
                connection.send(("slow", ""))
            elif code:
                connection.send(
                    ("swollen", f"so much that the compiler stops, more than {ROOM_MIB} MiB of memory mostly")
                )
    except (EOFError, BrokenPipeError, ConnectionResetError):
        os._exit(0)


def _compiler(folder: Path) -> tuple[Any, int]:
    """xgrammar's compiler for the tokens of the model in this folder, and how many these are."""
    import xgrammar
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokens = sorted(tokenizer.get_vocab(with_added_tokens=True).items(), key=lambda each: each[1])
    told = xgrammar.TokenizerInfo._detect_metadata_from_hf(tokenizer.to_str())
    info = xgrammar.TokenizerInfo(
        [token for token, _ in tokens],
        vocab_type=xgrammar.VocabType(told["vocab_type"]),
        add_prefix_space=told["add_prefix_space"],
        # which tokens end an answer changes no cost; without any named, xgrammar guesses and warns
        stop_token_ids=[0],
    )
    return xgrammar.GrammarCompiler(info, max_threads=1, cache_enabled=False), len(tokens)


def _data_bytes() -> int:
    """What this process has of the memory that RLIMIT_DATA counts."""
    pages = Path("/proc/self/statm").read_text().split()[5]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def _limit(seconds: int) -> None:
    """Have the kernel end this process when it takes more of the processor's time, and refuse it more memory."""
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
    most = _data_bytes() + (ROOM_MIB << 20)
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))


def _answered(compiler: Any, kind: str, text: str) -> tuple[str, str]:
    """("grammar", the grammar where one was made), or what is wrong as ("unusable" or "swollen", why)."""
    import xgrammar

    try:
        if kind == "json_schema":
            grammar = str(xgrammar.Grammar.from_json_schema(text, any_whitespace=False, separators=(", ", ": ")))
            if len(grammar) > LARGEST_GRAMMAR:
                return "swollen", f"a grammar of {len(grammar)} characters, and {LARGEST_GRAMMAR} is the most"
            compiler.compile_grammar(grammar)
            return "grammar", grammar
        if kind == "regex":
            compiler.compile_regex(text)
        else:
            compiler.compile_structural_tag(json.dumps(json.loads(text)))
    except MemoryError:
        return "swollen", f"more than {ROOM_MIB} MiB of memory"
    except Exception as error:  # noqa: BLE001 - whatever it trips over belongs to the call
        said = " ".join(str(error).split())
        if "bad_alloc" in said:
            return "swollen", f"more than {ROOM_MIB} MiB of memory"
        return "unusable", said[:300]
    return "grammar", ""


if __name__ == "__main__":
    serve(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], int(sys.argv[4]))
