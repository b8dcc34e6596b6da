"""Suites without policy: bytes and keys in, bytes out; randomness handed in."""
