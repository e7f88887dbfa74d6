"""The composition root: configuration to store, engine, loops and servers. The only place that knows everything."""
