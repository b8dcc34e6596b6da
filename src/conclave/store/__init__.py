"""What is kept on disk: a peer's history, outbox and states, its vault, and the authority's books."""
