"""One module for each way in which devices and gateways write readings (README, Field dialects)."""
