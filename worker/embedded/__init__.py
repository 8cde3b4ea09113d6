"""PostgreSQL and Valkey on this machine, and the supervisor behind `enroll up`."""
