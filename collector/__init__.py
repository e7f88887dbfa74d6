"""A message becomes a stored reading."""
