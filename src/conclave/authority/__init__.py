"""The certificate authority and directory as use cases: no HTTP, no SQL, no clock and no randomness of its own."""
