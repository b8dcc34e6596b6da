"""The attack lab: real peers, a real man in the middle, and lessons that tell what became of him. For teaching."""
