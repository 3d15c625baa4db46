"""A small FastAPI service that starts with good settings, or not at all, and shows no secret."""
