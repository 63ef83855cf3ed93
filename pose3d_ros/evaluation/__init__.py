"""How right poses are: matching with labels, and errors."""
