"""Parts of messages: the nearest right name for a misspelt one, numbers with their nouns."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def did_you_mean(known: Iterable[str], *names: str) -> str:
    """Return '; did you mean ...?' with the most similar known name of each of some names.

    '' if none is similar to any of them.
    """
    choices = list(known)
    found = [match for name in names for match in difflib.get_close_matches(name, choices, n=1)]
    return f'; did you mean {", ".join(found)}?' if found else ''


def counted(number: int, one: str, several: str = '') -> str:
    """Return a number with its noun: '1 image', '2 images'.

    Parameters
    ----------
    number
        How many.
    one
        The noun for one.
    several
        The noun for none or several. '': with an s at the end.
    """
    return f'{number} {one if number == 1 else several or one + "s"}'
