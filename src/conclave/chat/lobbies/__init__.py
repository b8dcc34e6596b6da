"""Lobbies as their members live them: coming and going, leading and following, parting and healing."""
