"""Train the bundled networks and render the bundled clip; not installed."""
