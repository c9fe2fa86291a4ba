"""The ear: OTLP in, span records out. The one room that knows gRPC, protobuf and OpenTelemetry attribute names."""
