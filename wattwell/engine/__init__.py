"""The shell around the pure packages: moves readings from the store through analytics and back, and answers questions."""
