"""The chapters of a report: from its document to blocks, in the order in which they are printed."""
