"""Networks of one stage: an image in, a row of numbers per person out."""
