"""Two people: who may talk to whom, and their group of two."""
