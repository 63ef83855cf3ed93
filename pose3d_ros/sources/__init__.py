"""Sources of images: videos, streams, folders, webcams, recordings."""
