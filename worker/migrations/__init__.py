"""Alembic migrations. Expand first, contract in a later release."""
