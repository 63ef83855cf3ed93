"""Where images come from: videos, streams, folders, webcams."""
