"""Other open tools that take OTLP, run beside us on the same bytes. Optional: each is installed apart, or skipped."""
