"""The people of several cameras as one set of people in a common frame."""
