"""Findings: expected behaviour learnt from the site itself, what departs from it, why, and what that costs."""
