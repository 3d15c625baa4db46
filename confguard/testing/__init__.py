"""Real stores and faulty networks for tests; not public yet."""
