"""What is said: contents, lines of history, what their authors signed, and records of them."""
