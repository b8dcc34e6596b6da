"""The command line: thin commands that ask the node or the authority, and print what they answer."""
