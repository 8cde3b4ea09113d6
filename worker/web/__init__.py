"""The HTTP door: everything about HTTP is here, and nothing about it anywhere else."""
