"""The city's matches over HTTP: a JSON interface for programs under `/v1`, and pages for people."""
