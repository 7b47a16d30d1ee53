"""Django's way to PostgreSQL, which while a page is made does not wait for a server that has stopped to answer."""
