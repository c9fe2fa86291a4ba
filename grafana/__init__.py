"""The Grafana dashboards: described in ``boards/*.toml``, written as classic JSON by ``python -m grafana``."""
