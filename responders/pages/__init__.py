"""The pages of owners, and the forms on them."""
