"""Where readings, interval values, events, rejects and alert states are kept."""
