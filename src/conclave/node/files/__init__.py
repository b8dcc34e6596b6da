"""Files of a running node: offered, kept, sent and fetched."""
