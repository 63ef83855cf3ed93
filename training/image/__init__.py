"""Train the bundled image network on rendered frames, and export it."""
