"""One order for many: a leader numbers and chains what members say, members check and follow. Pure."""
