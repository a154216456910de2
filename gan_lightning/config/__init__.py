"""The configuration of a run: schema, loading, experiment files, fingerprint."""
