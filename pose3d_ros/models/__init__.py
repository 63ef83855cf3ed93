"""Which networks there are, and where their files come from."""
