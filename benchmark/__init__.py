"""Commands that print the figures of the documents. Not installed with the package."""
