"""Roles of the database that sign in with a password, made so that no statement in the server's log carries it."""

import psycopg
from psycopg import sql


def signs_in(session: psycopg.Connection, role: str, password: str, rights: sql.SQL | None = None) -> sql.Composed:
    """The statement that lets the role sign in with the password. What is sent is its verifier (RFC 5803)."""
    verifier = session.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256").decode()
    return sql.SQL("ALTER ROLE {} LOGIN {} PASSWORD {}").format(
        sql.Identifier(role), rights or sql.SQL(""), sql.Literal(verifier)
    )
