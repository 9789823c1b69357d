"""What is served, and how it came to be."""
