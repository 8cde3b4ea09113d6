"""What the programs tell about themselves: metrics, logs, traces; and the rules and the dashboard that read them."""
