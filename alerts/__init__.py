"""What people are told: alert rules, their state machine and the notifiers."""
