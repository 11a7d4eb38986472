"""Two records or leaderboards side by side."""
