"""The rules of enrollment: pure, typed, without I/O; time is an argument."""
