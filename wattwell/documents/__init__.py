"""Reports as files: the JSON document of a report as HTML, PDF, CSV and JSON.

matplotlib and typst, which take a moment, are loaded by the first report in HTML or PDF.
"""

from wattwell.documents.rendering import FORMATS, MEDIA, render, renders

__all__ = ["FORMATS", "MEDIA", "render", "renders"]
