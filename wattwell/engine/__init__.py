"""The shell around the pure packages: readings from the store through analytics and back, and questions answered."""
