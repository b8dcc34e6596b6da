"""A home: where its things are, how it is made, kept and looked at."""
