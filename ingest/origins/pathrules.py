"""Who may see which file of a source, by its path."""

from __future__ import annotations

from collections.abc import Iterable

from ingest.origins.patterns import matches
from ragapp.errors import SettingsError


class PathRules:
    """Ordered rules (pattern, groups); the last that means a path says who may see it. Patterns are as in `patterns`.

    Raises SettingsError for a rule without pattern or groups: "nobody" is said by excluding the file, since an empty
    set would read as "whoever may see the source" elsewhere.
    """

    def __init__(self, rules: Iterable[tuple[str, frozenset[str]]] = ()) -> None:
        self._rules = tuple(rules)
        for pattern, groups in self._rules:
            if not pattern.strip("/"):
                raise SettingsError(
                    f"A rule for {', '.join(sorted(groups)) or 'no group'} names no path; give a pattern."
                )
            if not groups:
                raise SettingsError(
                    f"The rule for {pattern} names no group; name at least one, or leave the files out by --exclude."
                )

    def groups(self, path: str) -> frozenset[str] | None:
        """Who may see the file; None where no rule means it, which is whoever may see the source."""
        return next((groups for pattern, groups in reversed(self._rules) if matches(pattern, path)), None)
