"""What happens: one use case per file, each a flow that writes down, asks, writes down."""
