"""Reports: one site's, or several sites', figures of a month or a year as one value."""
