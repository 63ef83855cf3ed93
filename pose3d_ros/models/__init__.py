"""Networks: which can be installed, where they are, and how they are converted."""


class ModelError(ValueError):
    """A network that cannot be used; says what was expected and found, and what to do."""
