"""The steps of each study as OpenTelemetry traces, for sites that collect them (`tracing:` in node.yaml)."""
