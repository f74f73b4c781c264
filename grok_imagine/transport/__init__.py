"""HTTP: the only package of the engine that opens sockets to providers."""
