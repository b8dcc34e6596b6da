"""What a person means: words said to one peer or in a lobby, and the pure machine that delivers them."""
