"""The peer, running: one process per user, and the only place where effects are performed."""
