"""Sample items for a first look: invented films with plots and reviews written for this project, and their events."""
