"""HTTP: the only room of the engine that opens sockets."""
