"""The operations page, `/ops`: what the system does, what is wrong with it, and what a person can do about it."""
