"""A simulated company with known truth: the same tables as a real one, and what really drives them."""
