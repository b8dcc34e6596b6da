"""The classic suite in a running node."""
