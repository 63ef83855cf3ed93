"""Addresses of streams, and their names without secrets."""

from __future__ import annotations

import re

_ADDRESS = re.compile(r'[A-Za-z][A-Za-z0-9+.-]*://')
_ADDRESSES = re.compile(r'(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*://)(?P<rest>\S*)')


def is_address(source: str) -> bool:
    """Return whether a source is an address, such as rtsp://host/path, and not a path."""
    return _ADDRESS.match(source) is not None


def without_secrets(text: str) -> str:
    """Hide user, password, query and fragment of every address in a text.

    A token may be the value of any key of the query, so all of it is replaced. Passwords may hold
    any character, so everything up to the last @ is taken for one; where that and the query cannot
    be told apart, the scheme alone is left.
    """

    def hide(match: re.Match[str]) -> str:
        user, at, place = match['rest'].rpartition('@')
        if at and re.search('[?#]', user):
            return f'{match["scheme"]}...'
        path, *query = re.split('[?#]', place, maxsplit=1)
        return match['scheme'] + path + ('?...' if query else '')

    return _ADDRESSES.sub(hide, text)
