"""What helps a person who writes a reply."""
