"""The pages about accounts, addresses and domains, and the forms on them."""
