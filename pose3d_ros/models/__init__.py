"""Which networks there are, and where their files come from."""


class ModelError(ValueError):
    """A network that cannot be used: what was expected, what was found, what to do."""
