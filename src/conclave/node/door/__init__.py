"""What fronts ask of a running node, and what it answers."""
