"""Pictures of synthetic people, and everything that is true of them."""
