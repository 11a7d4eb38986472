"""Two records or two leaderboards side by side."""
