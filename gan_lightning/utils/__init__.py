"""Helpers that belong to no other package: files, tables, settings, hardware, extras."""
