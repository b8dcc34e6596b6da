"""A running node's mailboxes: what waits in its own, and what it leaves in others'."""
