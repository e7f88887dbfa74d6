"""The outer face: JSON API, pages, /metrics and the local control socket. It computes nothing; it asks ``Queries``."""
