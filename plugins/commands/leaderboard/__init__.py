"""``segbench leaderboard``: rank what the records say, as text or as a page."""
