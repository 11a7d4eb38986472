"""The leaderboard: records ranked, and what people see of a row."""
