"""Classification: a text in, genres out."""
