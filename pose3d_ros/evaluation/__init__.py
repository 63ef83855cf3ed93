"""Compare estimated poses with ground truth: matching, errors, labelled images."""
