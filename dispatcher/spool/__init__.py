"""The durable queue: port and adapters."""
