"""Figures of a report as SVG: one drawing each, in the HTML file and in the PDF alike."""
