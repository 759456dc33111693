"""What to do about it: targets and allocation."""
