"""Bytes: the codec, and every frame that two peers exchange."""
