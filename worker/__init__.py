"""Everything that touches the world: store, queue, transports, servers, command line."""
