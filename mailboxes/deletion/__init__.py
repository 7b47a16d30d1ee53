"""What is deleted with days to take it back, and then for good."""
