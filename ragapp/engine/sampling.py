"""What one request asks of the engine and what it gets back step by step, in our words and in vLLM's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Sampling:
    """How one answer is generated. At most one of the five constraints may be given."""

    max_tokens: int
    temperature: float = 0.0
    top_p: float = 1.0
    stop: tuple[str, ...] = ()
    seed: int | None = None
    json_schema: Mapping[str, Any] | None = None
    regex: str | None = None
    choice: tuple[str, ...] | None = None
    structural_tag: str | None = None
    """xgrammar's description of text with constrained parts, as JSON."""
    grammar: str | None = None
    """xgrammar's EBNF; the engine puts it in the place of a JSON schema."""
    timeout_s: float | None = None
    """Less than the engine's own limit, in seconds."""

    @property
    def is_compiled(self) -> bool:
        """Whether a grammar must be compiled for it that somebody else may have thought up."""
        return not (self.json_schema is None and self.regex is None and self.structural_tag is None)


@dataclass(frozen=True, slots=True)
class Delta:
    """What one step of the engine added to an answer."""

    text: str
    finished: bool
    finish_reason: str | None
    """"stop", "length" or None while it goes on."""
    prompt_tokens: int
    cached_tokens: int
    """How many of the prompt's tokens came from the prefix cache."""
    completion_tokens: int
    """Tokens generated so far."""


def engine_input(tokens: list[int], cache_salt: str | None) -> Any:
    """A prompt as vLLM takes it. Only requests with equal salts share a prefix in its cache."""
    from vllm.inputs.engine import tokens_input

    return tokens_input(tokens, cache_salt=cache_salt or None)


def sampling_params(sampling: Sampling) -> Any:
    """The request's wishes as vLLM takes them; a JSON schema stands in them as the grammar that was made of it."""
    from vllm.sampling_params import RequestOutputKind, SamplingParams, StructuredOutputsParams

    constraint = {
        "grammar": sampling.grammar,
        "regex": sampling.regex,
        "choice": list(sampling.choice) if sampling.choice else None,
        "structural_tag": sampling.structural_tag,
    }
    given = {name: value for name, value in constraint.items() if value is not None}
    return SamplingParams(
        max_tokens=sampling.max_tokens,
        temperature=sampling.temperature,
        top_p=sampling.top_p,
        stop=list(sampling.stop),
        seed=sampling.seed,
        structured_outputs=StructuredOutputsParams(**given) if given else None,
        output_kind=RequestOutputKind.DELTA,
    )
