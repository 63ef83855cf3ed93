"""From an image to 2D poses; one file or folder for each family of networks."""
