"""What the library costs, beside the barest thing that does the same work; ``make bench`` runs them, and no test does."""
