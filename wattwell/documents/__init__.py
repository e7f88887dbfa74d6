"""Reports as files: the JSON document of a report as HTML, PDF, CSV and JSON.

Importing it loads matplotlib and typst, which takes a moment: import it where a report is written.
"""

from wattwell.documents.rendering import FORMATS, MEDIA, render, renders

__all__ = ["FORMATS", "MEDIA", "render", "renders"]
