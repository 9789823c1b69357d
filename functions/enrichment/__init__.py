"""`POST /enrich-item`: a title, a plot and reviews become genres, a summary, a score and tags, and are stored."""
