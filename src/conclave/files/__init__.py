"""A file between people: offered, asked for in chunks, checked by chunk and as a whole. Pure: no IO, no clock."""
