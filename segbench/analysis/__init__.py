"""The leaderboard: ranked records and the columns that are shown."""
