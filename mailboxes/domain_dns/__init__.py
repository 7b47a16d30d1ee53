"""What must stand in the DNS for a hosted domain, what stands there, and whose the domain is."""
