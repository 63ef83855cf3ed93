"""Train the lifting network from nothing: `python -m training.lifting`."""

from training.lifting.train import main

main()
